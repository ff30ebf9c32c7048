package table

import (
	"fmt"
	"math/bits"

	"github.com/sluice-gateway/sluice/dataplanes/internal/filter"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// Rule is a compiled rule: all that is needed to serve a request that it won.
type Rule struct {
	Origin ir.Origin
	Kind   ir.RouteKind
	// Refused is not empty where the rule cannot be served: it answers 500. It
	// is meant for logs, not for clients.
	Refused string
	// Filters are never nil.
	Filters *filter.Chain
	// Uses are in the order of the rule's backends.
	Uses     []Use
	Timeouts ir.RuleTimeouts
	Retry    *ir.Retry
	Session  *ir.Session

	spec     *ir.Rule
	total    uint64
	problems []string
}

// Use is a rule's use of one backend.
type Use struct {
	// Backend is nil where the reference could not be resolved: its share is
	// answered with 500.
	Backend *ir.BackendKey
	Weight  int
	// Filters are never nil, and run after the rule's.
	Filters *filter.Chain
}

// Pick chooses a backend by weight. Draw is a uniformly random number: equal
// draws choose the same backend. It is nil where nothing can be chosen, which
// is answered with 500.
func (r *Rule) Pick(draw uint64) *Use {
	if r.total == 0 {
		return nil
	}
	place, _ := bits.Mul64(draw, r.total)
	for i := range r.Uses {
		weight := uint64(max(0, r.Uses[i].Weight))
		if place < weight {
			return &r.Uses[i]
		}
		place -= weight
	}
	return nil
}

// newRule compiles a rule; one that fails is refused as a whole, because half of
// its filters could let through what the other half keeps out.
func newRule(kind ir.RouteKind, spec *ir.Rule) *Rule {
	r := &Rule{
		Origin: spec.Origin, Kind: kind, Refused: spec.Refused, spec: spec,
		Timeouts: spec.Timeouts, Retry: spec.Retry, Session: spec.Session,
	}
	r.Filters = r.chain("", spec.Filters)
	r.Uses = make([]Use, len(spec.Backends))
	for i, use := range spec.Backends {
		r.Uses[i] = Use{
			Backend: use.Backend,
			Weight:  use.Weight,
			Filters: r.chain(fmt.Sprintf("backends[%d].", i), use.Filters),
		}
		r.total += uint64(max(0, use.Weight))
	}
	if spec.Refused == "" {
		r.checkExpressions()
	}
	if r.Refused == "" && len(r.problems) > 0 {
		r.Refused = r.problems[0]
	}
	return r
}

func (r *Rule) chain(where string, filters []ir.Filter) *filter.Chain {
	chain, err := filter.Compile(filters)
	if err != nil {
		r.problems = append(r.problems, where+err.Error())
		chain, _ = filter.Compile(nil)
	}
	return chain
}

// checkExpressions finds the regular expressions that do not compile.
func (r *Rule) checkExpressions() {
	for i, m := range r.spec.Matches {
		at := fmt.Sprintf("matches[%d].", i)
		if m.Path.Kind == ir.Regex {
			r.checkExpression(at+"path", m.Path.Value)
		}
		for _, h := range m.Headers {
			if h.Kind == ir.Regex {
				r.checkExpression(at+"headers["+h.Name+"]", h.Value)
			}
		}
		for _, q := range m.Query {
			if q.Kind == ir.Regex {
				r.checkExpression(at+"queryParams["+q.Name+"]", q.Value)
			}
		}
	}
}

func (r *Rule) checkExpression(field, pattern string) {
	if _, err := order.Regexp(pattern); err != nil {
		r.problems = append(r.problems, fmt.Sprintf("%s: %q is not an RE2 expression: %v", field, pattern, err))
	}
}
