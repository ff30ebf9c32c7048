package corpus

import (
	"testing"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/status"
)

// outcomes are what a dataplane can make of a unit, by the values of the tag.
var outcomes = map[string]func(*ir.Proxy) *status.Programmed{
	"pending": func(*ir.Proxy) *status.Programmed { return &status.Programmed{} },
	"refused": func(*ir.Proxy) *status.Programmed {
		return &status.Programmed{Reason: "Invalid", Message: "the proxy refused this generation"}
	},
	"no-resources": func(*ir.Proxy) *status.Programmed {
		return &status.Programmed{Reason: "NoResources", Message: "no pod is ready"}
	},
	"node-ports": func(*ir.Proxy) *status.Programmed {
		return &status.Programmed{Active: true, Ports: map[uint16]string{80: "node port 30080"}}
	},
	"stuck-rollout": func(*ir.Proxy) *status.Programmed {
		return &status.Programmed{Active: true, Remark: "pod gateway-x (image proxy:none): ErrImagePull: not found"}
	},
	"objection": func(p *ir.Proxy) *status.Programmed {
		return &status.Programmed{Active: true, Problems: firstRules(p)}
	},
}

// firstRules objects to the first rule of each route.
func firstRules(p *ir.Proxy) []ir.Problem {
	var problems []ir.Problem
	for _, r := range p.Routes {
		problems = append(problems, ir.Problem{Origin: r.Rules[0].Origin, Message: "the proxy cannot do this"})
	}
	return problems
}

// judged are a unit's reports once its dataplane has answered, as the engine
// merges them: by default it runs what it was given.
func (g *golden) judged(t *testing.T, out gatewayapi.Output) []*findings.Report {
	t.Helper()
	if out.Proxy == nil {
		return out.Reports
	}
	p := &status.Programmed{Active: true}
	for _, name := range g.tags[tagOutcome] {
		outcome := outcomes[name]
		if outcome == nil {
			t.Fatalf("the tag %q has %q, which is none of those in outcome_test.go", tagOutcome, name)
		}
		p = outcome(out.Proxy)
	}
	return status.Merge(out.Reports, p)
}
