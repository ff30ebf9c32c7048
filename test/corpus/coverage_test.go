package corpus

import (
	"bufio"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
)

// Whatever has a name is named by a case, and whatever a case names exists.
func TestCoverage(t *testing.T) {
	for _, c := range []struct {
		tag    string
		names  []string
		exempt map[string]string
	}{
		{tagConformance, conformanceNames(t), nil},
		{tagFinding, findingCodes(), nobodysFindings},
		{tagFilter, filterNames(), nil},
		{tagRefusal, featureNames(), neverRefused},
	} {
		t.Run(c.tag, func(t *testing.T) {
			named := map[string]bool{}
			for _, g := range corpus(t) {
				for _, name := range g.tags[c.tag] {
					named[name] = true
					if !slices.Contains(c.names, name) {
						t.Errorf("%s: its tag %q names %q, which does not exist", g.path, c.tag, name)
					}
				}
			}
			for _, name := range c.names {
				if reason := c.exempt[name]; !named[name] && reason == "" {
					t.Errorf("%s is named by no case: add one with the tag \"# %s: %s\"", name, c.tag, name)
				} else if named[name] && reason != "" {
					t.Errorf("%s is named by a case although %s: take it off the list of exceptions", name, reason)
				}
			}
			for name := range c.exempt {
				if !slices.Contains(c.names, name) {
					t.Errorf("the list of exceptions has %s, which does not exist", name)
				}
			}
		})
	}
}

func conformanceNames(t *testing.T) []string {
	t.Helper()
	file, err := os.Open("conformance.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var names []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if line := lines.Text(); line != "" && !strings.HasPrefix(line, "#") {
			names = append(names, line)
		}
	}
	return names
}

func findingCodes() []string {
	var codes []string
	for _, row := range findings.Table() {
		codes = append(codes, string(row.Code))
	}
	return codes
}

// nobodysFindings are facts that no objects bring about.
var nobodysFindings = map[string]string{
	"GatewayBroken": "it would be a mistake of this program",
	"RouteBroken":   "it would be a mistake of this program",
	"PolicyBroken":  "it would be a mistake of this program",
}

func filterNames() []string {
	var names []string
	for field := range reflect.TypeFor[ir.Filter]().Fields() {
		names = append(names, field.Name)
	}
	return names
}

func featureNames() []string {
	var names []string
	for _, f := range feature.Table() {
		names = append(names, string(f.Name))
	}
	return names
}

// What Gateway API has a feature for has a row in the table, and the other way
// round: a feature that nobody claims is a conformance test that nobody runs.
func TestOfficialFeatures(t *testing.T) {
	official := features.SetsToNamesSet(features.AllFeatures).
		Difference(features.SetsToNamesSet(features.MeshCoreFeatures, features.MeshExtendedFeatures))
	for _, f := range feature.Table() {
		name := features.FeatureName(f.Name)
		if f.Official && !official.Has(name) {
			t.Errorf("the table says that Gateway API has the feature %s, and it has none of that name", name)
		}
		if !f.Official && official.Has(name) {
			t.Errorf("the table says that %s is a word of ours, and it is Gateway API's", name)
		}
		official.Delete(name)
	}
	for name := range official {
		t.Errorf("the table has no row for Gateway API's feature %s", name)
	}
}

// neverRefused are features that no object can ask for by a field of its own.
var neverRefused = map[string]string{
	"Gateway":                      "there is no dataplane without",
	"ReferenceGrant":               "it is the operator's, and there is no reading without",
	"GatewayStaticAddresses":       "addresses are given by whoever runs the dataplane, who answers AddressNotUsable",
	"GatewayInfrastructure":        "it is the operator's",
	"GatewayPort8080":              "a port that is taken is PortUnavailable",
	"GatewayHTTPListenerIsolation": "it says how listeners are told apart, and no field asks for it",
	"GatewayHTTPSListenerDetectMisdirectedRequests": "it says what is answered, and no field asks for it",
	"HTTPRouteDestinationPortMatching":              "it is a part of parentRefs with a port",
	"HTTPRouteRetryBackendTimeout":                  "it is a part of every retry",
	"HTTPRouteRetryConnectionError":                 "it is a part of every retry",
}
