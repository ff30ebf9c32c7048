package verdict

import (
	"slices"

	"github.com/sluice-gateway/sluice/ir"
)

// Only returns a unit with some of its rules, or some of its listeners.
func Only(unit *ir.Unit, some []any) *ir.Unit {
	keep := map[any]bool{}
	rules := false
	for _, e := range some {
		keep[e] = true
		_, rules = e.(*ir.Rule)
	}
	proxy := *unit.Proxy
	if rules || len(some) == 0 {
		proxy.Routes = onlyRules(proxy.Routes, keep)
		return &ir.Unit{Proxy: &proxy, Endpoints: unit.Endpoints}
	}
	proxy.Listeners = slices.DeleteFunc(slices.Clone(proxy.Listeners), func(l *ir.Listener) bool { return !keep[l] })
	proxy.Routes = nil
	return &ir.Unit{Proxy: &proxy, Endpoints: unit.Endpoints}
}

// onlyRules returns the routes that have some of the rules, with these alone.
func onlyRules(routes []*ir.Route, keep map[any]bool) []*ir.Route {
	var out []*ir.Route
	for _, route := range routes {
		next := *route
		next.Rules = slices.DeleteFunc(slices.Clone(route.Rules), func(rule *ir.Rule) bool { return !keep[rule] })
		if len(next.Rules) > 0 {
			out = append(out, &next)
		}
	}
	return out
}

// Elements are the listeners or the rules that a verdict can be on.
func Elements[T ir.Listener | ir.Rule](all []*T) []any {
	out := make([]any, 0, len(all))
	for _, e := range all {
		out = append(out, e)
	}
	return out
}

// OriginOf is how problems name a listener.
func OriginOf(l *ir.Listener) ir.Origin {
	return ir.Origin{Object: l.Key.Owner, Section: l.Key.Section}
}
