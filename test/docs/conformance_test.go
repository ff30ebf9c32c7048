package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy"
	"github.com/sluice-gateway/sluice/ir/feature"
)

// report is what the page says of a conformance report, as Gateway API words it.
type report struct {
	GatewayAPIVersion string `json:"gatewayAPIVersion"`
	GatewayAPIChannel string `json:"gatewayAPIChannel"`
	Profiles          []struct {
		Name     string `json:"name"`
		Core     result `json:"core"`
		Extended result `json:"extended"`
	} `json:"profiles"`
}

type result struct {
	Result     string `json:"result"`
	Statistics struct {
		Passed, Skipped, Failed int
	} `json:"statistics"`
	SupportedFeatures   []string `json:"supportedFeatures"`
	UnsupportedFeatures []string `json:"unsupportedFeatures"`
}

func (r result) String() string {
	if r.Result == "" {
		return ""
	}
	s := r.Statistics
	text := fmt.Sprintf("%d of %d", s.Passed, s.Passed+s.Failed+s.Skipped)
	if s.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", s.Skipped)
	}
	return text
}

// reports are those that a person has run, looked at and committed.
func reports(t *testing.T) map[string]report {
	t.Helper()
	files, err := filepath.Glob("../conformance/reports/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no conformance reports, %v: make conformance writes one", err)
	}
	all := map[string]report{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r report
		if err := yaml.Unmarshal(text, &r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[filepath.Base(file)] = r
	}
	return all
}

// The page says what the reports say, and nothing else.
func TestConformancePage(t *testing.T) {
	page := table{head: []string{"report", "channel", "profile", "core tests passed", "extended tests passed", "features not claimed"}}
	all := reports(t)
	for _, file := range names(all) {
		for _, p := range all[file].Profiles {
			page.rows = append(page.rows, []string{
				"[" + file + "](../test/conformance/reports/" + file + ")", all[file].GatewayAPIChannel, p.Name,
				p.Core.String(), p.Extended.String(), strings.Join(p.Extended.UnsupportedFeatures, ", "),
			})
		}
	}
	hold(t, "../../docs/conformance.md", page.String())
}

func names(all map[string]report) []string {
	var files []string
	for file := range all {
		files = append(files, file)
	}
	slices.Sort(files)
	return files
}

// What the reports were made with is what the table of features has now: one that
// was added since has not been tested.
func TestReportsAreNotStale(t *testing.T) {
	served := goproxy.Dataplane{}.Features()
	for file, r := range reports(t) {
		var tested []string
		for _, p := range r.Profiles {
			tested = append(append(tested, p.Extended.SupportedFeatures...), p.Extended.UnsupportedFeatures...)
			if p.Core.Result != "success" || p.Extended.Result != "success" {
				t.Errorf("%s: %s did not succeed whole: core %s, extended %s", file, p.Name, p.Core.Result, p.Extended.Result)
			}
		}
		for _, f := range feature.Table() {
			extended := !slices.Contains([]feature.Name{
				feature.Gateway, feature.ReferenceGrant, feature.HTTPRoute, feature.GRPCRoute, feature.TLSRoute, feature.TCPRoute,
				feature.UDPRoute, feature.GRPCRouteNamedRouteRule, // The suite's profile of GRPCRoute leaves the last one out.
			}, f.Name)
			if f.Official && extended && served.Has(f.Name) && !slices.Contains(tested, string(f.Name)) {
				t.Errorf("%s knows nothing of the feature %s: run make conformance anew", file, f.Name)
			}
		}
	}
}
