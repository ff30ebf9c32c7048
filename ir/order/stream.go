package order

import (
	"slices"

	"github.com/sluice-gateway/sluice/ir"
)

// Stream is one listener of TLS, TCP or UDP with the routes that take its
// connections.
type Stream struct {
	Listener *ir.Listener
	// Hosts are the hostnames that routes are attached under, most specific
	// first; those of TCP and UDP have "*" alone.
	Hosts []*StreamHost
}

// StreamHost is one hostname of one listener, and what takes it.
type StreamHost struct {
	Hostname string
	Route    *ir.Route
	// Rule is the route's first: no other can ever match, as rules of such
	// routes match everything. Nil for a route without rules.
	Rule *ir.Rule
}

// Streams sorts the TLS, TCP and UDP routes of a unit by listener and hostname,
// in the order of the unit's listeners. Of two routes for one hostname the
// first, which is the older, has it. Refused listeners are Group's.
func Streams(proxy *ir.Proxy) []*Stream {
	byKey := map[ir.ListenerKey]*Stream{}
	var all []*Stream
	for _, l := range proxy.Listeners {
		if l.Refused == "" && (l.Protocol == ir.TLS || l.Protocol == ir.TCP || l.Protocol == ir.UDP) {
			s := &Stream{Listener: l}
			byKey[l.Key], all = s, append(all, s)
		}
	}
	taken := map[streamHostKey]bool{}
	for _, route := range proxy.Routes {
		for _, a := range route.Attachments {
			if s := byKey[a.Listener]; s != nil && carries(s.Listener.Protocol, route.Kind) {
				s.attach(route, a.Hostnames, taken)
			}
		}
	}
	for _, s := range all {
		slices.SortFunc(s.Hosts, func(a, b *StreamHost) int { return CompareHostnames(a.Hostname, b.Hostname) })
	}
	return all
}

type streamHostKey struct {
	stream   *Stream
	hostname string
}

func carries(protocol ir.Protocol, kind ir.RouteKind) bool {
	return string(protocol) == string(kind)
}

func (s *Stream) attach(route *ir.Route, hostnames []string, taken map[streamHostKey]bool) {
	if s.Listener.Protocol != ir.TLS {
		hostnames = []string{AnyHost}
	}
	for _, name := range hostnames {
		key := streamHostKey{s, name}
		if taken[key] {
			continue
		}
		taken[key] = true
		host := &StreamHost{Hostname: name, Route: route}
		if len(route.Rules) > 0 {
			host.Rule = route.Rules[0]
		}
		s.Hosts = append(s.Hosts, host)
	}
}
