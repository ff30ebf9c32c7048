package conformance

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"testing"

	confv1 "sigs.k8s.io/gateway-api/conformance/apis/v1"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/yaml"
)

// implementation is who answers for the report.
func (o options) implementation() confv1.Implementation {
	return confv1.Implementation{
		Organization: "sluice-gateway",
		Project:      "sluice",
		URL:          "https://github.com/sluice-gateway/sluice",
		Version:      o.version,
		Contact:      []string{"https://github.com/sluice-gateway/sluice/issues"},
	}
}

// report writes what Gateway API asks of an implementation. A run of some tests
// has nothing to report.
func (w *world) report(t *testing.T, s *suite.ConformanceTestSuite) {
	t.Helper()
	if w.options.only != nil {
		return
	}
	r, err := s.Report()
	if err != nil {
		t.Errorf("no report: %v", err)
		return
	}
	slices.SortFunc(r.ProfileReports, func(a, b confv1.ProfileReport) int { return cmp.Compare(a.Name, b.Name) })
	text, err := yaml.Marshal(r)
	if err != nil {
		t.Errorf("no report: %v", err)
		return
	}
	file := w.options.report()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Error(err)
	}
	for _, p := range r.ProfileReports {
		t.Logf("%s: %s", p.Name, p.Summary)
	}
}
