package gatewayapi

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/sluice-gateway/sluice/ir/feature"
)

// What features need is in the table for each of them, and in the experimental
// CRDs that Sluice is written against: a path with a mistake in it would take a
// feature away everywhere.
func TestNeedsAreMet(t *testing.T) {
	files, err := filepath.Glob("../source/dir/schema/crd/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	crds := map[string]*apiextensionsv1.CustomResourceDefinition{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(text, crd); err != nil {
			t.Fatal(err)
		}
		crds[crd.Spec.Names.Plural] = crd
	}
	for _, n := range needs {
		if !n.met(crds) {
			t.Errorf("%s needs %q of %s, which is not there", n.feature, n.path, n.plural)
		}
		if n.met(map[string]*apiextensionsv1.CustomResourceDefinition{}) {
			t.Errorf("%s needs nothing", n.feature)
		}
	}
	for _, f := range feature.Table() {
		if !slices.ContainsFunc(needs, func(n need) bool { return n.feature == f.Name }) {
			t.Errorf("what %s needs is not said", f.Name)
		}
	}
}

func TestSupportedVersion(t *testing.T) {
	for version, want := range map[string]bool{
		"v1.4.0": true, "v1.6.3": true, "v1.6.0-rc.1": true, "v1.3.9": false, "v1.7.0": false, "v2.4.0": false, "v0.8.1": false,
		"": false, "v1": false, "v1.": false, "v1.6": false, "v1.6.": false, "1.6.3": false, "v1.-5.0": false, "v1.x.0": false, "v0.0.0-dev": false,
	} {
		if got := supportedVersion(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}
