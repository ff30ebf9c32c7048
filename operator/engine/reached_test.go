package engine_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// TestStuckPods: an edit that is under way leaves Programmed as it was, unless a
// pod has been behind for too long already.
func TestStuckPods(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		u := engine.Unit{
			Output: gatewayapi.Output{Proxy: &ir.Proxy{}, Reports: []*findings.Report{{
				Object:   resources.Key{Kind: "Gateway", Namespace: "a", Name: "b"},
				Subjects: []findings.Subject{{Kind: findings.Gateway}},
			}}},
			Version: "two",
			Outcome: &dataplanes.Outcome{Version: "one", Reach: &dataplanes.Reach{Behind: "pod a/x runs version one", Stuck: stuck}},
		}
		waits := false
		for _, f := range u.Reports()[0].Subjects[0].Findings {
			waits = waits || f.Code == findings.NotYetProgrammed
		}
		if waits != stuck {
			t.Errorf("with pods that are stuck: %v, the Gateway waits: %v", stuck, waits)
		}
	}
}
