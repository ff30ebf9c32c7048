package haproxy

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

// detouredUnit has two rules that ask the same of the agent, and one that asks nothing.
func detouredUnit() *ir.Unit {
	owner := ir.Object{Kind: "Gateway", Namespace: "n", Name: "g"}
	l := &ir.Listener{Key: ir.ListenerKey{Owner: owner, Section: "http"}, Port: 80, Protocol: ir.HTTP, Hostname: "*"}
	unit := &ir.Unit{Proxy: &ir.Proxy{Owner: owner, Listeners: []*ir.Listener{l}}}
	for i := range 3 {
		route := oneOfMany(i, true, l)
		route.Rules[0].Backends[0].Backend.Service = "s"
		if i > 0 {
			copies := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Namespace: "n", Service: "copies", Port: 80}, Protocol: ir.BackendHTTP1}
			route.Rules[0].Filters = []ir.Filter{
				{RequestHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-A", Value: "1"}}}},
				{Mirror: &ir.Mirror{Backend: copies, Numerator: 1, Denominator: 1}},
			}
		}
		unit.Proxy.Routes = append(unit.Proxy.Routes, route)
	}
	for _, service := range []string{"copies", "s"} {
		key := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Namespace: "n", Service: service, Port: 80}, Protocol: ir.BackendHTTP1}
		unit.Proxy.Backends = append(unit.Proxy.Backends, &ir.Backend{Key: key})
		unit.Endpoints = append(unit.Endpoints, &ir.Endpoints{Key: key.EndpointsKey, Endpoints: []ir.Endpoint{{Address: "127.0.0.1", Port: 80}}})
	}
	return unit
}

// TestEqualDetoursAreOne has rules that ask the same share a detour, which goes on where
// a rule without filters goes at once.
func TestEqualDetoursAreOne(t *testing.T) {
	unit := detouredUnit()
	c := Translate(unit, Target{Address: netip.MustParseAddr("127.0.0.1")}, nil)
	if len(c.Detours.HTTP) != 1 || len(c.Detours.HTTP[0].Origins) != 2 {
		t.Fatalf("the detours are %+v", c.Detours.HTTP)
	}
	d := c.Detours.HTTP[0]
	if !strings.Contains(c.Map(), d.Name+"|HTTPRoute/n/r1/0|") || !strings.Contains(c.Map(), d.Next+"|HTTPRoute/n/r0/0|") {
		t.Errorf("%s, then %s; the rows are\n%s", d.Name, d.Next, c.Map())
	}
	again := Translate(detouredUnit(), Target{Address: netip.MustParseAddr("127.0.0.1")}, c)
	if !reflect.DeepEqual(again.Detours, c.Detours) || again.Text() != c.Text() {
		t.Error("the same unit is written otherwise the next time")
	}
	check(t, c)
}

// TestWithoutDetoursNothingLeadsThere has a unit whose last mirror goes.
func TestWithoutDetoursNothingLeadsThere(t *testing.T) {
	with := Translate(detouredUnit(), Target{Address: netip.MustParseAddr("127.0.0.1")}, nil)
	unit := detouredUnit()
	unit.Proxy.Routes = unit.Proxy.Routes[:1]
	c := Translate(unit, Target{Address: netip.MustParseAddr("127.0.0.1")}, with)
	if len(c.Detours.HTTP) != 0 || strings.Contains(c.Text(), DetourSocket) || strings.Contains(c.Text(), ReturnSocket) {
		t.Errorf("there are %v, and\n%s", c.Detours.HTTP, c.Text())
	}
}

// TestOpenings has a socket for each endpoint of a backend whose certificate HAProxy
// cannot verify, and follows them when nothing else changes.
func TestOpenings(t *testing.T) {
	unit := detouredUnit()
	unit.Proxy.Routes = unit.Proxy.Routes[:1]
	unit.Proxy.Backends[1].TLS = &ir.BackendTLS{Hostname: "b", CAs: "x", SANs: []ir.SAN{{URI: "spiffe://a/b"}}}
	c := Translate(unit, Target{Address: netip.MustParseAddr("127.0.0.1")}, nil)
	if len(c.Detours.Openings) != 1 || !strings.Contains(c.Text(), "unix@"+c.Detours.Openings[0].Socket) {
		t.Fatalf("the openings are %v, of\n%s", c.Detours.Openings, c.Text())
	}
	more := &ir.Unit{Proxy: unit.Proxy, Endpoints: slices.Clone(unit.Endpoints)}
	more.Endpoints[1] = &ir.Endpoints{Key: unit.Endpoints[1].Key, Endpoints: []ir.Endpoint{{Address: "127.0.0.1", Port: 80}, {Address: "fd00::7", Port: 80}}}
	next := Translate(more, Target{Address: netip.MustParseAddr("127.0.0.1")}, c)
	if len(next.Detours.Openings) != 2 || len(c.Detours.Openings) != 1 {
		t.Errorf("the openings are %v, after %v", next.Detours.Openings, c.Detours.Openings)
	}
	if longest := len("/t_") + 20; len(next.Detours.Openings[0].Socket) >= longest {
		t.Errorf("%q is longer than folders leave room for", next.Detours.Openings[0].Socket)
	}
}
