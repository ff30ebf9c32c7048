package docs

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
)

func TestParametersPageNamesEveryField(t *testing.T) {
	data, err := os.ReadFile("../../docs/gatewayparameters.md")
	if err != nil {
		t.Fatal(err)
	}
	fields := leaves(reflect.TypeFor[v1alpha1.GatewayParametersSpec](), "spec")
	if len(fields) < 10 {
		t.Fatalf("found %d fields of GatewayParameters: the types were not read", len(fields))
	}
	for _, field := range fields {
		if !strings.Contains(string(data), "| `"+field+"` |") {
			t.Errorf("docs/gatewayparameters.md has no row for `%s`: say what it does, its default, and who may set it", field)
		}
	}
}

// leaves returns the paths of the fields that hold values.
func leaves(t reflect.Type, path string) []string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	// What Kubernetes has a type for is described by Kubernetes.
	if t.Kind() != reflect.Struct || t.PkgPath() != reflect.TypeFor[v1alpha1.GatewayParametersSpec]().PkgPath() {
		return []string{path}
	}
	var all []string
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		all = append(all, leaves(field.Type, path+"."+name)...)
	}
	return all
}
