package status

import (
	"fmt"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// Merge adds to the reports of one unit what became of it in its dataplane. The
// reports stay as they are: what changes is copied. nil is a unit that runs.
func Merge(reports []*findings.Report, p *Programmed) []*findings.Report {
	if p == nil {
		return reports
	}
	merged := slices.Clone(reports)
	for i, report := range reports {
		merged[i] = p.apply(report)
	}
	return merged
}

func (p *Programmed) apply(report *findings.Report) *findings.Report {
	gateway := report.Object.Kind == resources.Gateway
	listens := gateway || report.Object.Kind == resources.ListenerSet
	problems := p.about(report.Object)
	said := listens && p.Active && (len(p.Ports) > 0 || p.Remark != "")
	if len(problems) == 0 && !said && (p.Active || !listens) && (!gateway || len(p.Addresses) == 0) {
		return report
	}
	changed := *report
	changed.Subjects = slices.Clone(report.Subjects)
	if gateway {
		changed.Addresses = p.Addresses
	}
	for i := range changed.Subjects {
		s := &changed.Subjects[i]
		s.Findings = slices.Clone(s.Findings)
		if listens && !p.Active {
			s.Findings = append(s.Findings, p.waiting(s.Kind))
		}
		if how := p.Ports[uint16(s.Port)]; said && s.Port != 0 && how != "" {
			s.Findings = append(s.Findings, findings.Finding{Code: findings.ListenerReached, Message: "The proxy runs this generation; reached at " + how})
		}
		if said && s.Kind == findings.Gateway && p.Remark != "" {
			s.Findings = append(s.Findings, findings.Finding{Code: findings.GatewayServedWith, Message: "The proxy runs this generation, though not in every pod that is to be: " + p.Remark})
		}
		s.Findings = append(s.Findings, objections(s, problems)...)
	}
	return &changed
}

func (p *Programmed) about(key resources.Key) []ir.Problem {
	var found []ir.Problem
	for _, problem := range p.Problems {
		o := problem.Origin
		if o.Kind == string(key.Kind) && o.Namespace == key.Namespace && o.Name == key.Name {
			found = append(found, problem)
		}
	}
	return found
}

// waiting is why the unit does not run. Reasons of the Gateway's own are Pending
// for its listeners.
func (p *Programmed) waiting(kind findings.SubjectKind) findings.Finding {
	f := findings.Finding{Code: findings.NotYetProgrammed, Message: p.Message}
	if f.Message == "" {
		f.Message = "the proxy does not run this generation yet"
	}
	if p.Reason == "Invalid" {
		f.Code = findings.ProxyRefused
	}
	if kind != findings.Gateway {
		return f
	}
	switch p.Reason {
	case "NoResources":
		f.Code = findings.NoResources
	case "AddressNotAssigned":
		f.Code = findings.AddressNotAssigned
	case "AddressNotUsable":
		f.Code = findings.AddressNotUsable
	}
	return f
}

// objections turns a proxy's objections to parts of an object into findings
// about one of its subjects.
func objections(s *findings.Subject, problems []ir.Problem) []findings.Finding {
	var found []findings.Finding
	rules := map[int]bool{}
	for _, problem := range problems {
		switch s.Kind {
		case findings.Gateway, findings.ListenerSet:
			if problem.Origin.Section == "" {
				found = append(found, findings.Finding{Code: findings.ProxyRefused, Message: problem.Message})
			}
		case findings.Listener, findings.ListenerEntry:
			if problem.Origin.Section == string(s.Section) {
				found = append(found, findings.Finding{Code: findings.ProxyRefused, Message: problem.Message})
			}
		case findings.Route:
			rules[problem.Origin.Rule] = true
			found = append(found, ruleObjection(problem))
		case findings.Policy:
			found = append(found, findings.Finding{Code: findings.PolicyInvalid, Message: problem.Message})
		}
	}
	if s.Kind == findings.Route && len(rules) > 0 && len(rules)+dropped(s) >= s.Rules {
		for i := range found {
			found[i].Code = findings.RouteUnsupportedValue
		}
	}
	return found
}

func ruleObjection(problem ir.Problem) findings.Finding {
	return findings.Finding{
		Code:    findings.RouteRuleDropped,
		Field:   fmt.Sprintf("spec.rules[%d]", problem.Origin.Rule),
		Message: fmt.Sprintf("Dropped Rule %d, which the proxy refused: %s", problem.Origin.Rule, problem.Message),
	}
}

// dropped is how many rules the front end has refused already.
func dropped(s *findings.Subject) int {
	n := 0
	for i := range s.Findings {
		if s.Findings[i].Code == findings.RouteRuleDropped {
			n++
		}
	}
	return n
}
