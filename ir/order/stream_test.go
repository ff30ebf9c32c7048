package order_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

func streamRoute(name string, kind ir.RouteKind, section string, hostnames ...string) *ir.Route {
	return &ir.Route{
		Origin: ir.Object{Kind: string(kind) + "Route", Name: name}, Kind: kind, Rules: []*ir.Rule{{}},
		Attachments: []ir.Attachment{{Listener: ir.ListenerKey{Section: section}, Hostnames: hostnames}},
	}
}

func TestStreamsByListenerAndHostname(t *testing.T) {
	listener := func(section string, p ir.Protocol) *ir.Listener {
		return &ir.Listener{Key: ir.ListenerKey{Section: section}, Protocol: p}
	}
	got := order.Streams(&ir.Proxy{
		Listeners: []*ir.Listener{listener("web", ir.HTTPS), listener("tls", ir.TLS), listener("tcp", ir.TCP), listener("udp", ir.UDP)},
		Routes: []*ir.Route{
			streamRoute("wide", ir.TLSRoute, "tls", "*.example"),
			streamRoute("older", ir.TLSRoute, "tls", "a.example"),
			streamRoute("younger", ir.TLSRoute, "tls", "a.example", "*"),
			streamRoute("tcp", ir.TCPRoute, "tcp"),
			streamRoute("late", ir.TCPRoute, "tcp"),
			streamRoute("stray", ir.TCPRoute, "udp"),
			streamRoute("web", ir.HTTPRoute, "web", "*"),
		},
	})
	want := map[string][][2]string{
		"tls": {{"a.example", "older"}, {"*.example", "wide"}, {"*", "younger"}},
		"tcp": {{"*", "tcp"}},
		"udp": nil,
	}
	if len(got) != len(want) {
		t.Fatalf("%d listeners, want %d", len(got), len(want))
	}
	for _, s := range got {
		hosts := want[s.Listener.Key.Section]
		if len(s.Hosts) != len(hosts) {
			t.Errorf("%s: %d hosts, want %v", s.Listener.Key.Section, len(s.Hosts), hosts)
			continue
		}
		for i, h := range s.Hosts {
			if h.Hostname != hosts[i][0] || h.Route.Origin.Name != hosts[i][1] || h.Rule != h.Route.Rules[0] {
				t.Errorf("%s: host %d is %s of %s, want %v", s.Listener.Key.Section, i, h.Hostname, h.Route.Origin.Name, hosts[i])
			}
		}
	}
}

// TestRefusedListenersAreGrouped shows that a listener of TLS is in one of both
// lists alone.
func TestRefusedListenersAreGrouped(t *testing.T) {
	proxy := &ir.Proxy{Listeners: []*ir.Listener{
		{Key: ir.ListenerKey{Section: "served"}, Protocol: ir.TLS},
		{Key: ir.ListenerKey{Section: "refused"}, Protocol: ir.TLS, Refused: "why"},
	}}
	streams, grouped := order.Streams(proxy), order.Group(proxy, nil)
	if len(streams) != 1 || streams[0].Listener.Key.Section != "served" || len(grouped) != 1 || grouped[0].Listener.Key.Section != "refused" {
		t.Errorf("%d of Streams and %d of Group; want the served and the refused one", len(streams), len(grouped))
	}
}
