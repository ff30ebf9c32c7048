package haproxy

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
	"github.com/sluice-gateway/sluice/test/ordertest"
)

// TestHAProxyAgreesWithOrder holds real HAProxy to the slow evaluation that explain
// shows, on random units and requests.
func TestHAProxyAgreesWithOrder(t *testing.T) {
	r := startRig(t, ordertest.Plain, ordertest.Secure)
	doors := map[uint16]*asking{}
	for port := range r.at {
		doors[port] = r.dial(t, port)
	}
	certificate := issued(t, "any", "ec")
	rapid.Check(t, func(t *rapid.T) {
		config := Translate(withCertificate(ordertest.Unit(t), *certificate), Target{}, nil)
		r.load(t, config)
		for range 24 {
			q := ordertest.Request(t, ordertest.Hosts, append(ordertest.Paths, "*"))
			for _, p := range config.ports {
				if got, want := doors[p.Port].ask(t, q), config.slow(p, q); got != want {
					t.Fatalf("%s %s%s?%s %v, port %d: HAProxy says %s, order says %s\n%s", q.Method, q.Host, q.Path, q.Query, q.Headers, p.Port, got, want, config.Map())
				}
			}
		}
	})
}

// withCertificate gives the unit a certificate that is one: without it listeners of TLS
// are shut.
func withCertificate(u *ir.Unit, certificate ir.Certificate) *ir.Unit {
	certificate.Key = ordertest.Certificate
	u.Proxy.Certificates = []*ir.Certificate{&certificate}
	return u
}

// slow answers as explain does.
func (c *Config) slow(p *order.Port, q order.Request) string {
	chosen := order.Select(p.All(), q.Host)
	if chosen == nil {
		return "|answer_404||"
	}
	name := listenerName(chosen.Key)
	if chosen.Refused != "" || c.shut(chosen) {
		return name + "|answer_refused_listener||"
	}
	for _, l := range p.Listeners {
		if l.Listener != chosen {
			continue
		}
		if won, ok := order.Winner(l, q); ok {
			e := won.Entry
			return name + "|" + written(c.shares(p, e)) + "|" + Tag(e.Rule.Origin) + "|" + prefixLength(e.Match())
		}
	}
	return name + "|answer_404||"
}

// matching is a unit of one listener and one route, whose rules have one match each.
func matching(matches ...ir.Match) *ir.Unit {
	listener := ir.ListenerKey{Owner: ir.Object{Namespace: "n", Name: "g"}, Section: "s"}
	route := &ir.Route{
		Origin: ir.Object{Kind: "HTTPRoute", Namespace: "n", Name: "r"}, Kind: ir.HTTPRoute,
		Attachments: []ir.Attachment{{Listener: listener, Hostnames: []string{"*"}}},
	}
	for i, m := range matches {
		if m.Path.Kind == "" {
			m.Path = ir.PathMatch{Kind: ir.Prefix, Value: "/"}
		}
		route.Rules = append(route.Rules, &ir.Rule{Origin: ir.Origin{Object: route.Origin, Rule: i}, Matches: []ir.Match{m}})
	}
	return &ir.Unit{Proxy: &ir.Proxy{
		Listeners: []*ir.Listener{{Key: listener, Port: 80, Protocol: ir.HTTP, Hostname: "*"}},
		Routes:    []*ir.Route{route},
	}}
}
