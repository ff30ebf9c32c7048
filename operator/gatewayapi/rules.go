package gatewayapi

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
)

// ruleBuilder makes one rule.
type ruleBuilder struct {
	*routeBuilder
	source *ruleSource
	index  int
	field  string
	rule   *ir.Rule
	// problems refuse the rule: it keeps its matches and answers 500.
	problems []findings.Finding
	// closed is set where the rule must fail closed for a reference that its
	// findings already name.
	closed string
}

// refuse takes down why the rule cannot be served as written.
func (b *ruleBuilder) refuse(field, format string, args ...any) {
	b.problems = append(b.problems, newFinding(findings.RouteUnsupportedValue, field, format, args...))
}

// clash takes down filters that exclude each other.
func (b *ruleBuilder) clash(field, format string, args ...any) {
	b.problems = append(b.problems, newFinding(findings.RouteIncompatibleFilters, field, format, args...))
}

func (b *routeBuilder) makeRules() {
	for i := range b.source.rules {
		r := &ruleBuilder{routeBuilder: b, source: &b.source.rules[i], index: i, field: item("spec.rules", i)}
		r.rule = &ir.Rule{Origin: ir.Origin{Object: objectOf(b.source.key), Rule: i}}
		r.build()
		if r.rule != nil {
			b.rules = append(b.rules, r.rule)
		}
	}
}

func (b *ruleBuilder) build() {
	for _, step := range []func(){b.only, b.name, b.matches, b.filters, b.upstreams, b.timeouts, b.retry, b.session, b.features} {
		step()
	}
	if b.closed != "" {
		b.strip(b.closed)
	}
	if len(b.problems) > 0 {
		b.drop()
	}
}

// only refuses a second rule where connections are carried: nothing could
// choose between two.
func (b *ruleBuilder) only() {
	if b.isL4() && b.index > 0 {
		b.refuse(b.field, "a %s has one rule; remove the others", b.routeBuilder.source.key.Kind)
	}
}

func (b *ruleBuilder) name() {
	if b.source.name == nil || *b.source.name == "" {
		return
	}
	b.rule.Origin.Section = string(*b.source.name)
	named := feature.Name(string(feature.OfKind(b.routeBuilder.source.kind)) + "NamedRouteRule")
	switch l4 := b.isL4(); {
	case !l4 && !b.routing.features.Has(named):
		b.refuse(b.field+".name", "named rules are not supported by the dataplane of %s; remove the name", b.routing.controller)
	case slices.ContainsFunc(b.rules, func(r *ir.Rule) bool { return r.Origin.Section == b.rule.Origin.Section }):
		b.refuse(b.field+".name", "an earlier rule is called %q too; give each its own name", b.rule.Origin.Section)
	}
}

// isL4 reports whether the route carries connections, not requests.
func (b *routeBuilder) isL4() bool {
	return b.source.kind != ir.HTTPRoute && b.source.kind != ir.GRPCRoute
}

// features refuses what the dataplane lacks.
func (b *ruleBuilder) features() {
	missing := b.routing.features.Missing(feature.OfRule(b.routeBuilder.source.kind, b.rule))
	slices.Sort(missing)
	for _, name := range slices.Compact(missing) {
		b.refuse(b.field, "it needs %s, which the dataplane of %s does not support", name, b.routing.controller)
	}
}

// drop refuses the rule. What that means for the route is decided once all
// rules are known.
func (b *ruleBuilder) drop() {
	texts := make([]string, 0, len(b.problems))
	for _, p := range b.problems {
		if !slices.Contains(texts, p.Message) {
			texts = append(texts, p.Message)
		}
	}
	why := strings.Join(texts, "; ")
	b.strip(why)
	b.dropped = append(b.dropped, findings.Finding{Code: b.problems[0].Code, Field: b.problems[0].Field, Message: why})
	b.droppedAt = append(b.droppedAt, b.index)
}

// strip leaves of a rule what it matches.
func (b *ruleBuilder) strip(why string) {
	b.rule = &ir.Rule{Origin: b.rule.Origin, Matches: b.rule.Matches, Refused: why}
}
