package schema

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	structuralcel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// definition is one version of a CustomResourceDefinition, compiled. Compiling
// takes tenths of a second, so it waits until an object of the kind is read.
type definition struct {
	files   fs.FS
	file    string
	version string

	once   sync.Once
	err    error
	schema *structural.Structural
	props  validation.SchemaValidator
	rules  *structuralcel.Validator
}

func (d *definition) compile() {
	d.once.Do(func() { d.err = d.load() })
}

func (d *definition) load() error {
	props, err := d.read()
	if err != nil {
		return fmt.Errorf("CustomResourceDefinition %s, version %s: %w", d.file, d.version, err)
	}
	if d.schema, err = structural.NewStructural(props); err != nil {
		return fmt.Errorf("CustomResourceDefinition %s: %w", d.file, err)
	}
	if d.props, _, err = validation.NewSchemaValidator(props); err != nil {
		return fmt.Errorf("CustomResourceDefinition %s: %w", d.file, err)
	}
	// Status is no author's to write and is dropped before it is checked.
	checked := *d.schema
	checked.Properties = map[string]structural.Structural{}
	for name, p := range d.schema.Properties {
		if name != "status" {
			checked.Properties[name] = p
		}
	}
	d.rules = structuralcel.NewValidator(&checked, true, celconfig.PerCallLimit)
	return nil
}

func (d *definition) read() (*apiextensions.JSONSchemaProps, error) {
	data, err := fs.ReadFile(d.files, d.file)
	if err != nil {
		return nil, err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(data, &crd); err != nil {
		return nil, err
	}
	for _, v := range crd.Spec.Versions {
		if v.Name == d.version && v.Schema != nil {
			out := &apiextensions.JSONSchemaProps{}
			return out, apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(v.Schema.OpenAPIV3Schema, out, nil)
		}
	}
	return nil, fmt.Errorf("no such version")
}

// admit defaults an object in place and returns what is wrong with it.
func (d *definition) admit(obj map[string]any) []Fault {
	if d.compile(); d.err != nil {
		return []Fault{{Message: d.err.Error()}}
	}
	faults := d.unknownFields(obj)
	defaulting.PruneNonNullableNullsWithoutDefaults(obj, d.schema)
	defaulting.Default(obj, d.schema)
	errs := validation.ValidateCustomResource(nil, obj, d.props)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, d.schema, obj)...)
	if len(errs) == 0 && d.rules != nil {
		found, _ := d.rules.Validate(context.Background(), nil, d.schema, obj, nil, celconfig.RuntimeCELCostBudget)
		errs = found
	}
	return append(faults, faultsOf(errs)...)
}

func (d *definition) unknownFields(obj map[string]any) []Fault {
	paths := pruning.PruneWithOptions(obj, d.schema, true, structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	var faults []Fault
	for _, path := range paths {
		faults = append(faults, unknownField(path, d.siblings(path)))
	}
	return faults
}

// siblings are the fields that the schema has where path is unknown.
func (d *definition) siblings(path string) []string {
	at := d.schema
	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		name, items := step, strings.Count(step, "[")
		if i := strings.IndexByte(step, '['); i >= 0 {
			name = step[:i]
		}
		next, ok := at.Properties[name]
		if !ok {
			return nil
		}
		at = &next
		for ; items > 0 && at.Items != nil; items-- {
			at = at.Items
		}
	}
	var names []string
	for name := range at.Properties {
		names = append(names, name)
	}
	return names
}

func unknownField(path string, siblings []string) Fault {
	last := path[strings.LastIndexByte(path, '.')+1:]
	return Fault{Field: path, Message: fmt.Sprintf("unknown field %q: remove it or correct its spelling%s", last, suggestion(last, siblings))}
}

// faultsOf keeps the first fault of each field: what follows from it would only
// hide it.
func faultsOf(errs field.ErrorList) []Fault {
	faults := make([]Fault, 0, len(errs))
	seen := map[string]bool{}
	for _, e := range errs {
		if at := fieldOf(e); !seen[at] {
			seen[at] = true
			faults = append(faults, Fault{Field: at, Message: wording(e, at)})
		}
	}
	return faults
}

// inSchemas has a schema's words for Go's types, which some checks report.
var inSchemas = strings.NewReplacer("int32", "integer", "int64", "integer", "float64", "number")

var checkedValue = regexp.MustCompile(`^Checked value (must be of type .*) in (\S+)$`)

// fieldOf finds the field in the words of the one check that does not name it.
func fieldOf(e *field.Error) string {
	if m := checkedValue.FindStringSubmatch(e.Detail); m != nil {
		return m[2]
	}
	return strings.TrimPrefix(e.Field, "<nil>")
}

// wording takes out what a reader of "field message" has already read.
func wording(e *field.Error, at string) string {
	if m := checkedValue.FindStringSubmatch(e.Detail); m != nil {
		return m[1]
	}
	plain := *e
	plain.Detail = strings.TrimPrefix(e.Detail, at+" in body ")
	if e.Type == field.ErrorTypeTypeInvalid {
		kind, _, _ := strings.Cut(plain.Detail, ": ")
		return fmt.Sprintf("%s, and is of type %s", inSchemas.Replace(kind), inSchemas.Replace(fmt.Sprint(e.BadValue)))
	}
	body := plain.ErrorBody()
	return strings.ToLower(body[:1]) + body[1:]
}
