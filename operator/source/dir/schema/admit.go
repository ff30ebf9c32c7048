package schema

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	k8sjson "sigs.k8s.io/json"

	"github.com/sluice-gateway/sluice/config/crd"
	"github.com/sluice-gateway/sluice/operator/resources"
)

//go:embed crd/*.yaml
var gatewayAPI embed.FS

// Fault is one thing that is wrong with an object.
type Fault struct {
	// Field is a path such as "spec.rules[0].matches"; empty for the object.
	Field   string
	Message string
}

// Result is what became of one object.
type Result struct {
	// Key names the object as far as it could be read.
	Key resources.Key
	// Object is nil where there are Faults, or where it is Skipped.
	Object resources.Object
	Faults []Fault
	// Skipped is true for a kind that Sluice does not read.
	Skipped bool
}

// Catalog knows the kinds that Sluice reads. It is safe for concurrent use.
type Catalog struct {
	kinds       []*kind
	definitions map[*kind]map[string]*definition
}

// NewCatalog returns the catalog of every kind that Sluice reads. It compiles
// nothing yet.
func NewCatalog() *Catalog {
	c := &Catalog{kinds: kinds(), definitions: map[*kind]map[string]*definition{}}
	for _, k := range c.kinds {
		if k.file == "" {
			continue
		}
		files := fs.FS(crd.Files)
		if k.gatewayAPI() {
			files = gatewayAPI
		}
		c.definitions[k] = map[string]*definition{}
		for _, v := range k.versions {
			c.definitions[k][v] = &definition{files: files, file: k.file, version: v}
		}
	}
	return c
}

// Admit checks and defaults one object, which it changes.
func (c *Catalog) Admit(obj map[string]any) Result {
	t, faults := typeOf(obj)
	if len(faults) > 0 {
		return Result{Faults: faults}
	}
	k, version, fault := c.find(t)
	if fault != nil {
		return Result{Key: Identify(obj, t.Kind, false), Faults: []Fault{*fault}}
	}
	if k == nil {
		return Result{Key: Identify(obj, t.Kind, false), Skipped: true}
	}
	r := Result{Key: Identify(obj, t.Kind, k.cluster)}
	delete(obj, "status")
	r.Faults = c.named(k, obj)
	if len(r.Faults) == 0 {
		r.Object, r.Faults = c.build(k, version, obj)
	}
	if len(r.Faults) > 0 {
		r.Object = nil
	}
	return r
}

func typeOf(obj map[string]any) (Type, []Fault) {
	var faults []Fault
	read := func(name, example string) string {
		s, ok := obj[name].(string)
		if !ok || s == "" {
			faults = append(faults, Fault{Field: name, Message: fmt.Sprintf("is missing: write for example %s: %s", name, example)})
		}
		return s
	}
	t := Type{APIVersion: read("apiVersion", "gateway.networking.k8s.io/v1"), Kind: read("kind", "HTTPRoute")}
	return t, faults
}

// Identify reads the key of an object; its Name is empty where it has none.
func Identify(obj map[string]any, kind string, cluster bool) resources.Key {
	meta, _ := obj["metadata"].(map[string]any)
	key := resources.Key{Kind: resources.Kind(kind)}
	key.Name, _ = meta["name"].(string)
	if cluster {
		return key
	}
	if key.Namespace, _ = meta["namespace"].(string); key.Namespace == "" {
		key.Namespace = metav1.NamespaceDefault
	}
	return key
}

// named checks what makes an object's identity, and puts it into "default"
// where it names no namespace.
func (c *Catalog) named(k *kind, obj map[string]any) []Fault {
	meta, ok := obj["metadata"].(map[string]any)
	if !ok {
		return []Fault{{Field: "metadata", Message: "is missing: every object needs a metadata.name"}}
	}
	if name, ok := meta["name"].(string); !ok || name == "" {
		return []Fault{{Field: "metadata.name", Message: "is missing: every object needs a name, and generateName has no meaning in a file"}}
	}
	if k.cluster {
		if _, ok := meta["namespace"]; ok {
			return []Fault{{Field: "metadata.namespace", Message: k.name + " belongs to no namespace: remove it"}}
		}
		return nil
	}
	if ns, ok := meta["namespace"]; !ok || ns == "" || ns == nil {
		meta["namespace"] = metav1.NamespaceDefault
	}
	return nil
}

func (c *Catalog) build(k *kind, version string, obj map[string]any) (resources.Object, []Fault) {
	var faults []Fault
	if d := c.definitions[k][version]; d != nil {
		faults = d.admit(obj)
		obj["apiVersion"] = k.group + "/" + k.versions[0]
	}
	typed := k.new()
	// The schema has spoken about the types of a custom resource's fields, so
	// what decoding adds is about metadata alone.
	faults = append(faults, decode(obj, typed, len(faults) > 0)...)
	if len(faults) > 0 {
		return nil, faults
	}
	faults = append(faults, metadata(k, typed)...)
	return typed, append(faults, core(typed)...)
}

func decode(obj map[string]any, into resources.Object, judged bool) []Fault {
	data, err := json.Marshal(obj)
	if err != nil {
		return []Fault{{Message: "cannot be written as JSON: " + err.Error()}}
	}
	strict, err := k8sjson.UnmarshalStrict(data, into, k8sjson.DisallowUnknownFields)
	if err != nil {
		if judged {
			return nil
		}
		return []Fault{decodeFault(err)}
	}
	var faults []Fault
	for _, e := range strict {
		path := ""
		var fe k8sjson.FieldError
		if errors.As(e, &fe) {
			path = fe.FieldPath()
		}
		faults = append(faults, unknownField(path, nil))
	}
	return faults
}

func decodeFault(err error) Fault {
	var typeErr *json.UnmarshalTypeError
	if errors.As(err, &typeErr) {
		return Fault{Field: typeErr.Field, Message: fmt.Sprintf("is a %s, and must be of type %s", typeErr.Value, typeErr.Type)}
	}
	return Fault{Message: "cannot be read: " + err.Error()}
}

func metadata(k *kind, obj resources.Object) []Fault {
	name := validation.NameIsDNSSubdomain
	switch k.name {
	case "Service":
		name = validation.NameIsDNS1035Label
	case "Namespace":
		name = validation.ValidateNamespaceName
	}
	return faultsOf(validation.ValidateObjectMetaAccessor(obj, !k.cluster, name, field.NewPath("metadata")))
}

// ClusterWide reports whether objects of a kind belong to no namespace.
func (c *Catalog) ClusterWide(name string) bool {
	for _, k := range c.kinds {
		if k.name == name {
			return k.cluster
		}
	}
	return false
}

// Kinds are the kinds that the catalog reads.
func (c *Catalog) Kinds() []resources.Kind {
	var names []resources.Kind
	for _, k := range c.kinds {
		names = append(names, resources.Kind(k.name))
	}
	return names
}
