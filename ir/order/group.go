package order

import (
	"cmp"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
)

// Listener is one listener with the hosts that its routes serve.
type Listener struct {
	Listener *ir.Listener
	// Hosts are the hostnames that routes are attached under, most specific
	// first.
	Hosts []*Host
}

// Host is one hostname of one listener.
type Host struct {
	Hostname string
	// Routes are those that are attached under the hostname, in the unit's
	// order. Two hosts with equal routes have equal entries.
	Routes []*ir.Route
	// Entries are the matches of the routes' rules, the winning one first.
	Entries []Entry
}

// Entry is one match of one rule of one route.
type Entry struct {
	Route *ir.Route
	Rule  *ir.Rule
	// Index is the match's place in Rule.Matches; RuleIndex is the rule's in
	// Route.Rules.
	Index     int
	RuleIndex int
}

// Match returns the entry's match.
func (e Entry) Match() *ir.Match { return &e.Rule.Matches[e.Index] }

// Group sorts the HTTP and GRPC routes of a unit by listener and hostname, in
// the order of the unit's listeners. A host whose routes are the same pointers
// as in last is taken over from there, so that an unchanged one costs no sort
// and keeps its address. Last may be nil. A refused listener has no hosts, and
// is there whether it is HTTP, HTTPS or TLS: its hostname is not another's.
func Group(proxy *ir.Proxy, last []*Listener) []*Listener {
	gathered := gather(proxy)
	known := make(map[ir.ListenerKey]*Listener, len(last))
	for _, l := range last {
		known[l.Listener.Key] = l
	}
	grouped := make([]*Listener, 0, len(proxy.Listeners))
	for _, l := range proxy.Listeners {
		if l.Refused != "" {
			if l.Protocol != ir.TCP && l.Protocol != ir.UDP {
				grouped = append(grouped, &Listener{Listener: l})
			}
			continue
		}
		if l.Protocol != ir.HTTP && l.Protocol != ir.HTTPS {
			continue
		}
		grouped = append(grouped, &Listener{Listener: l, Hosts: hosts(gathered[l.Key], known[l.Key])})
	}
	return grouped
}

// gather lists for each listener's hostnames the routes attached under them.
func gather(proxy *ir.Proxy) map[ir.ListenerKey]map[string][]*ir.Route {
	all := make(map[ir.ListenerKey]map[string][]*ir.Route, len(proxy.Listeners))
	for _, route := range proxy.Routes {
		if route.Kind != ir.HTTPRoute && route.Kind != ir.GRPCRoute {
			continue
		}
		for _, a := range route.Attachments {
			byHost := all[a.Listener]
			if byHost == nil {
				byHost = map[string][]*ir.Route{}
				all[a.Listener] = byHost
			}
			for _, h := range a.Hostnames {
				byHost[h] = append(byHost[h], route)
			}
		}
	}
	return all
}

// hosts makes the hosts of one listener, taking from last what has not changed.
func hosts(byHost map[string][]*ir.Route, last *Listener) []*Host {
	known := map[string]*Host{}
	if last != nil {
		for _, h := range last.Hosts {
			known[h.Hostname] = h
		}
	}
	made := make([]*Host, 0, len(byHost))
	for name, routes := range byHost {
		if h := known[name]; h != nil && slices.Equal(h.Routes, routes) {
			made = append(made, h)
			continue
		}
		made = append(made, &Host{Hostname: name, Routes: routes, Entries: entries(routes)})
	}
	slices.SortFunc(made, func(a, b *Host) int { return CompareHostnames(a.Hostname, b.Hostname) })
	return made
}

// entries lists the matches of routes in winning order.
func entries(routes []*ir.Route) []Entry {
	var all []Entry
	for _, route := range routes {
		for i, rule := range route.Rules {
			for j := range rule.Matches {
				all = append(all, Entry{Route: route, Rule: rule, RuleIndex: i, Index: j})
			}
		}
	}
	slices.SortFunc(all, Compare)
	return all
}

// Compare is negative where entry a wins over entry b of the same hostname, and
// 0 only for one and the same (HTTPRouteRule.matches; a regular expression's
// place between exact and prefix matches is this project's choice).
func Compare(a, b Entry) int {
	if c := compareMatches(a.Match(), b.Match()); c != 0 {
		return c
	}
	return cmp.Or(
		a.Route.Created.Compare(b.Route.Created),
		cmp.Compare(a.Route.Origin.Namespace, b.Route.Origin.Namespace),
		cmp.Compare(a.Route.Origin.Name, b.Route.Origin.Name),
		cmp.Compare(a.Route.Origin.Kind, b.Route.Origin.Kind),
		cmp.Compare(a.RuleIndex, b.RuleIndex),
		cmp.Compare(a.Index, b.Index),
	)
}

// compareMatches compares what two matches ask for, before who asks.
func compareMatches(a, b *ir.Match) int {
	if c := cmp.Compare(rank(a.Path.Kind), rank(b.Path.Kind)); c != 0 {
		return c
	}
	if c := cmp.Compare(reach(b.Path), reach(a.Path)); c != 0 {
		return c
	}
	if (a.Method == "") != (b.Method == "") {
		if a.Method != "" {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(len(b.Headers), len(a.Headers)), cmp.Compare(len(b.Query), len(a.Query)))
}

// reach is the length that makes a path match stronger than others of its kind:
// a prefix's in normal form, and an expression's as it is written.
func reach(m ir.PathMatch) int {
	switch m.Kind {
	case ir.Prefix:
		return len(Literal(m))
	case ir.Regex:
		return len(m.Value)
	default:
		return 0
	}
}

// rank orders the kinds of path matches, the stronger first.
func rank(kind ir.MatchKind) int {
	switch kind {
	case ir.Exact:
		return 0
	case ir.Regex:
		return 1
	default:
		return 2
	}
}
