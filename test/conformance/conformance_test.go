package conformance

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/sluice-gateway/sluice/test/e2e/rig"
)

// profiles are all that Gateway API has for Gateways.
var profiles = []suite.ConformanceProfileName{
	suite.GatewayHTTPConformanceProfileName,
	suite.GatewayGRPCConformanceProfileName,
	suite.GatewayTLSConformanceProfileName,
	suite.GatewayTCPConformanceProfileName,
	suite.GatewayUDPConformanceProfileName,
}

// TestConformance runs the suite in a cluster of its own.
func TestConformance(t *testing.T) {
	if !rig.Asked() {
		t.Skip(rig.Unasked)
	}
	o := parseOptions(t)
	w := boot(t, o)
	for n := range o.repeat {
		w.cleared(t)
		if !t.Run(fmt.Sprintf("run-%d", n+1), func(t *testing.T) { w.play(t) }) {
			return
		}
	}
}

// play runs every test once. The parallel ones end after this returns, and the
// report is written after those.
func (w *world) play(t *testing.T) {
	t.Helper()
	claimed := w.claimed(t)
	s, err := suite.NewConformanceTestSuite(w.suiteOptions())
	if err != nil {
		t.Fatal(err)
	}
	ran := false
	t.Cleanup(func() {
		if ran {
			w.report(t, s)
		}
	})
	all := w.tests(claimed)
	if len(all) == 0 {
		t.Fatalf("no test matches %s", w.options.only)
	}
	p := &progress{all: len(all)}
	s.Hook = p.note
	s.Setup(t, all)
	if err := s.Run(t, all); err != nil {
		t.Fatal(err)
	}
	ran = true
}

// tests are those of the suite that are about Gateways. A test that needs a
// feature which nobody claims is in them where it is the suite's own choice to
// leave it out: claimed has complained about it.
func (w *world) tests(claimed suite.FeaturesSet) []suite.ConformanceTest {
	meshes := features.SetsToNamesSet(features.MeshCoreFeatures, features.MeshExtendedFeatures)
	var all []suite.ConformanceTest
	for _, test := range tests.ConformanceTests {
		needs := sets.New(test.Features...)
		switch {
		case needs.HasAny(meshes.UnsortedList()...):
		case w.options.only != nil && !w.options.only.MatchString(test.ShortName):
		case !claimed.HasAll(test.Features...):
		default:
			all = append(all, w.watched(test))
		}
	}
	return all
}

// watched is a test that leaves behind, when it fails, what is needed to know
// why. The objects are still there then: the suite removes them later.
func (w *world) watched(test suite.ConformanceTest) suite.ConformanceTest {
	run := test.Test
	test.Test = func(t *testing.T, s *suite.ConformanceTestSuite) {
		t.Helper()
		t.Cleanup(func() {
			if t.Failed() {
				w.collect(t, test.ShortName)
			}
		})
		run(t, s)
	}
	return test
}
