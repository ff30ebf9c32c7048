package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

func otherListeners(listeners []*ir.Listener, chosen *ir.Listener, host string) []Miss {
	var misses []Miss
	for _, l := range listeners {
		if l == chosen {
			continue
		}
		what := fmt.Sprintf("listener %q (hostname %s)", l.Key.Section, l.Hostname)
		if !order.MatchHostname(l.Hostname, host) {
			misses = append(misses, Miss{What: what, Why: fmt.Sprintf("its hostname does not cover %q", host)})
			continue
		}
		misses = append(misses, Miss{What: what, Why: fmt.Sprintf("listener %q has the more specific hostname %s", chosen.Key.Section, chosen.Hostname)})
	}
	return misses
}

// otherRoutes are those that the walk did not come by: attached elsewhere, or
// under hostnames that do not cover the host.
func otherRoutes(proxy *ir.Proxy, l *order.Listener, host string) []Miss {
	var misses []Miss
	for _, route := range proxy.Routes {
		if route.Kind != ir.HTTPRoute && route.Kind != ir.GRPCRoute {
			continue
		}
		if why := notReached(route, l.Listener.Key, host); why != "" {
			misses = append(misses, Miss{What: name(route.Origin), Why: why})
		}
	}
	return misses
}

func notReached(route *ir.Route, key ir.ListenerKey, host string) string {
	var elsewhere []string
	for _, a := range route.Attachments {
		if a.Listener != key {
			elsewhere = append(elsewhere, fmt.Sprintf("%q", a.Listener.Section))
			continue
		}
		if slices.ContainsFunc(a.Hostnames, func(h string) bool { return order.MatchHostname(h, host) }) {
			return ""
		}
		return fmt.Sprintf("its hostnames (%s) do not cover %q", strings.Join(a.Hostnames, ", "), host)
	}
	return "it is attached to other listeners alone: " + strings.Join(elsewhere, ", ")
}

// lost says why a candidate does not serve the request.
func lost(c order.Candidate, won *order.Candidate) string {
	if !c.Matched {
		return c.Why
	}
	return fmt.Sprintf("it matches too, but %s comes first: %s", matchName(won.Entry), precedence(*won, c))
}

// precedence names the first rule of precedence that tells two matches apart,
// in the order of package order.
func precedence(won, lost order.Candidate) string {
	a, b := won.Entry.Match(), lost.Entry.Match()
	switch {
	case won.Hostname != lost.Hostname:
		return fmt.Sprintf("hostname %s is more specific than %s", won.Hostname, lost.Hostname)
	case a.Path.Kind != b.Path.Kind:
		return fmt.Sprintf("a path match of kind %s precedes one of kind %s", a.Path.Kind, b.Path.Kind)
	case len(a.Path.Value) != len(b.Path.Value):
		return fmt.Sprintf("its path %q is longer than %q", a.Path.Value, b.Path.Value)
	case a.Method != b.Method:
		return "it asks for a method"
	case len(a.Headers) != len(b.Headers):
		return "it asks for more headers"
	case len(a.Query) != len(b.Query):
		return "it asks for more query parameters"
	case !won.Entry.Route.Created.Equal(lost.Entry.Route.Created):
		return "its route is older"
	case won.Entry.Route != lost.Entry.Route:
		return "its route comes first by namespace and name"
	default:
		return "it stands first in its route"
	}
}

func matchName(e order.Entry) string {
	s := fmt.Sprintf("%s rule %d", name(e.Route.Origin), e.RuleIndex)
	if e.Rule.Origin.Section != "" {
		s += fmt.Sprintf(" (%s)", e.Rule.Origin.Section)
	}
	return s + fmt.Sprintf(" match %d", e.Index)
}
