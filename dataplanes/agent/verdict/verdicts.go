package verdict

import (
	"regexp"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// Verdicts are the elements of a unit that a proxy refused, with its words. They hold
// as long as the element is what it was.
type Verdicts struct {
	rules     map[*ir.Rule]*verdict
	listeners map[*ir.Listener]*verdict
}

// verdict is what was said of one element.
type verdict struct {
	words string
	// matchless is true where what the rule matches is refused as well, so that
	// some or all of its traffic cannot be kept.
	matchless bool
	// claimed is true where the rule's expressions have given way to what they claim.
	claimed bool
	// instead takes the rule's place.
	instead *ir.Rule
	// because are the parts beside the element itself, such as a backend, that were
	// refused: when one is replaced, the element is tried again.
	because []any
}

// None returns verdicts on nothing.
func None() *Verdicts {
	return &Verdicts{rules: map[*ir.Rule]*verdict{}, listeners: map[*ir.Listener]*verdict{}}
}

func (v *Verdicts) none() bool { return len(v.rules)+len(v.listeners) == 0 }

// Still returns those verdicts that are about a unit's elements.
func (v *Verdicts) Still(unit *ir.Unit) *Verdicts {
	next := None()
	if v.none() {
		return next
	}
	parts := partsOf(unit)
	holds := func(verdict *verdict) bool {
		return !slices.ContainsFunc(verdict.because, func(part any) bool { return !parts[part] })
	}
	for l, verdict := range v.listeners {
		if parts[l] && holds(verdict) {
			next.listeners[l] = verdict
		}
	}
	for rule, verdict := range v.rules {
		if parts[rule] && holds(verdict) {
			next.rules[rule] = verdict
		}
	}
	return next
}

// partsOf returns all that a verdict can be about.
func partsOf(unit *ir.Unit) map[any]bool {
	parts := map[any]bool{}
	for _, l := range unit.Proxy.Listeners {
		parts[l] = true
	}
	for _, rule := range RulesOf(unit) {
		parts[rule] = true
	}
	for _, b := range unit.Proxy.Backends {
		parts[b] = true
	}
	for _, c := range unit.Proxy.Certificates {
		parts[c] = true
	}
	for _, e := range unit.Endpoints {
		parts[e] = true
	}
	return parts
}

// Refuse adds a rule, and reports whether that is news. Of a rule that is refused
// already, its matches are: first its expressions, and then all.
func (v *Verdicts) Refuse(rule *ir.Rule, words string, because ...any) bool {
	last := v.rules[rule]
	next := &verdict{words: words, because: because, instead: &ir.Rule{Origin: rule.Origin, Matches: rule.Matches, Refused: words}}
	if last != nil {
		if len(last.instead.Matches) == 0 {
			return false
		}
		next.instead.Matches = nil
		if !last.claimed {
			next.claimed, next.instead.Matches = true, claims(rule.Matches)
		}
		next.matchless = len(next.instead.Matches) < len(rule.Matches)
	}
	v.rules[rule] = next
	return true
}

// claims are matches with what their expressions surely meant in the place of
// those, as for expressions that do not compile (order.Claims, order.Evaluate): the
// paths that begin alike, and any value that is there. A match that claims nothing
// is left out.
func claims(matches []ir.Match) []ir.Match {
	var all []ir.Match
	for _, m := range matches {
		if m.Path.Kind == ir.Regex {
			prefix, ok := order.Claims(m.Path.Value)
			if !ok {
				continue
			}
			m.Path.Value = regexp.QuoteMeta(prefix) + ".*"
		}
		m.Headers, m.Query = anyValue(m.Headers), anyValue(m.Query)
		all = append(all, m)
	}
	return all
}

func anyValue(wanted []ir.ValueMatch) []ir.ValueMatch {
	wanted = slices.Clone(wanted)
	for i := range wanted {
		if wanted[i].Kind == ir.Regex {
			wanted[i].Value = ".*"
		}
	}
	return wanted
}

// RefuseListener adds a listener, and reports whether that is news.
func (v *Verdicts) RefuseListener(l *ir.Listener, words string, because ...any) bool {
	if v.listeners[l] != nil {
		return false
	}
	v.listeners[l] = &verdict{words: words, because: because}
	return true
}

// Problems say what was refused, in the unit's order.
func (v *Verdicts) Problems(unit *ir.Unit) []ir.Problem {
	var all []ir.Problem
	for _, l := range unit.Proxy.Listeners {
		if verdict := v.listeners[l]; verdict != nil {
			all = append(all, ir.Problem{Origin: OriginOf(l), Message: verdict.words})
		}
	}
	for _, rule := range RulesOf(unit) {
		verdict := v.rules[rule]
		if verdict == nil {
			continue
		}
		message := verdict.words
		if verdict.matchless {
			message += ". The expressions by which it matches are refused as well, so requests are answered as if it did not have them"
		}
		all = append(all, ir.Problem{Origin: rule.Origin, Message: message})
	}
	return all
}

// Apply returns the unit without what was refused; what was not is shared with it.
func (v *Verdicts) Apply(unit *ir.Unit) *ir.Unit {
	if v.none() {
		return unit
	}
	proxy := *unit.Proxy
	proxy.Listeners = v.applyListeners(proxy.Listeners)
	proxy.Routes = make([]*ir.Route, len(unit.Proxy.Routes))
	for i, route := range unit.Proxy.Routes {
		proxy.Routes[i] = v.applyRoute(route)
	}
	proxy.Backends = used(&proxy)
	return &ir.Unit{Proxy: &proxy, Endpoints: unit.Endpoints}
}

// applyListeners refuses listeners, as far as others keep their port open; a port
// that none would serve is not opened.
func (v *Verdicts) applyListeners(all []*ir.Listener) []*ir.Listener {
	var out []*ir.Listener
	for _, l := range all {
		switch verdict := v.listeners[l]; {
		case verdict == nil:
			out = append(out, l)
		case slices.ContainsFunc(all, func(o *ir.Listener) bool { return v.listeners[o] == nil && o.Refused == "" && sameDoor(l, o) }):
			refused := *l
			refused.TLS, refused.Refused = nil, verdict.words
			out = append(out, &refused)
		}
	}
	return out
}

// sameDoor reports whether two listeners share a port and a family of protocols.
func sameDoor(a, b *ir.Listener) bool {
	secure := func(l *ir.Listener) bool { return l.Protocol == ir.HTTPS || l.Protocol == ir.TLS }
	return a.Port == b.Port && (a.Protocol == b.Protocol || secure(a) && secure(b))
}

func (v *Verdicts) applyRoute(route *ir.Route) *ir.Route {
	refused := func(rule *ir.Rule) bool { return v.rules[rule] != nil }
	closed := map[ir.ListenerKey]bool{}
	for l := range v.listeners {
		closed[l.Key] = true
	}
	detached := func(a ir.Attachment) bool { return closed[a.Listener] }
	if !slices.ContainsFunc(route.Rules, refused) && !slices.ContainsFunc(route.Attachments, detached) {
		return route
	}
	next := *route
	next.Attachments = slices.DeleteFunc(slices.Clone(route.Attachments), detached)
	next.Rules = slices.Clone(route.Rules)
	for i, rule := range next.Rules {
		if verdict := v.rules[rule]; verdict != nil {
			next.Rules[i] = verdict.instead
		}
	}
	return &next
}

// used returns the backends that rules name: one that nobody names may be the one
// that is refused.
func used(proxy *ir.Proxy) []*ir.Backend {
	named := map[ir.BackendKey]bool{}
	for _, route := range proxy.Routes {
		for _, rule := range route.Rules {
			for _, key := range BackendsOf(rule) {
				named[key] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(proxy.Backends), func(b *ir.Backend) bool { return !named[b.Key] })
}

// BackendsOf returns what a rule sends requests to.
func BackendsOf(rule *ir.Rule) []ir.BackendKey {
	keys := backendsOfFilters(nil, rule.Filters)
	for _, use := range rule.Backends {
		if use.Backend != nil {
			keys = append(keys, *use.Backend)
		}
		keys = backendsOfFilters(keys, use.Filters)
	}
	return keys
}

func backendsOfFilters(keys []ir.BackendKey, filters []ir.Filter) []ir.BackendKey {
	for _, f := range filters {
		if f.Mirror != nil {
			keys = append(keys, f.Mirror.Backend)
		}
		if f.ExternalAuth != nil {
			keys = append(keys, f.ExternalAuth.Backend)
		}
	}
	return keys
}

// RulesOf returns every rule of a unit, in its order.
func RulesOf(unit *ir.Unit) []*ir.Rule {
	var all []*ir.Rule
	for _, route := range unit.Proxy.Routes {
		all = append(all, route.Rules...)
	}
	return all
}
