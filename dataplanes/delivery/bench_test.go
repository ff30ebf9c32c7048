package delivery_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/client"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/server"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
	"github.com/sluice-gateway/sluice/ir"
)

const manyRoutes = 5000

// large is a unit of 5,000 routes on 1,000 Services.
func large() *ir.Unit {
	u := unit(80)
	for i := range manyRoutes {
		if i < manyRoutes/5 {
			bk := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Namespace: "apps", Service: fmt.Sprintf("svc-%d", i), Port: 80}, Protocol: ir.BackendHTTP1}
			u.Proxy.Backends = append(u.Proxy.Backends, &ir.Backend{Key: bk})
			u.Endpoints = append(u.Endpoints, endpoints(bk.EndpointsKey, nowhere))
		}
		u.Proxy.Routes = append(u.Proxy.Routes, longRoute(i, "/"))
	}
	return u
}

func longRoute(i int, path string) *ir.Route {
	bk := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Namespace: "apps", Service: fmt.Sprintf("svc-%d", i%(manyRoutes/5)), Port: 80}, Protocol: ir.BackendHTTP1}
	origin := ir.Object{Kind: "HTTPRoute", Namespace: "apps", Name: fmt.Sprintf("route-%d", i)}
	return &ir.Route{
		Origin: origin, Kind: ir.HTTPRoute,
		Attachments: []ir.Attachment{{Listener: ir.ListenerKey{Owner: gateway, Section: "http"}, Hostnames: []string{fmt.Sprintf("host-%d.example.com", i)}}},
		Rules: []*ir.Rule{{
			Origin: ir.Origin{Object: origin}, Matches: []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: path}}},
			Backends: []ir.BackendUse{{Backend: &bk, Weight: 1}},
		}},
	}
}

// counting is a proxy that tells when it was given a set.
type counting struct {
	outcomes chan dataplanes.Outcome
	applied  chan struct{}
}

func (c *counting) Apply(a dataplanes.Assignment) {
	c.outcomes <- dataplanes.Outcome{Owner: gateway, Version: a.Version}
	c.applied <- struct{}{}
}
func (c *counting) Remove(ir.Object)                    {}
func (c *counting) Outcomes() <-chan dataplanes.Outcome { return c.outcomes }

// benchmark measures from a set in the operator to the proxy's being given it.
func benchmark(b *testing.B, change func(u *ir.Unit, n int) *ir.Unit) {
	b.Helper()
	c := newCluster(b)
	o := c.start(b, "127.0.0.1:0", nil)
	o.Lead(1)
	c.pod("a", gateway)
	u := large()
	o.Set(server.Set{Unit: u, Version: "v0"})
	local := &counting{outcomes: make(chan dataplanes.Outcome, 1), applied: make(chan struct{}, 1)}
	p := c.runPod(b, "a", func(o *client.Options) {
		o.StateDir = ""
		o.Start = func(ctx context.Context, _, _ string) (dataplanes.Local, error) {
			context.AfterFunc(ctx, func() { close(local.outcomes) })
			return local, nil
		}
	}, o.addr)
	<-local.applied
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		u = change(u, n)
		o.Set(server.Set{Unit: u, Version: fmt.Sprint("v", n)})
		<-local.applied
	}
	b.StopTimer()
	p.stop()
}

func BenchmarkOneRouteChanged(b *testing.B) {
	benchmark(b, func(u *ir.Unit, n int) *ir.Unit {
		p := *u.Proxy
		p.Routes = append([]*ir.Route(nil), u.Proxy.Routes...)
		p.Routes[n*7919%manyRoutes] = longRoute(n*7919%manyRoutes, fmt.Sprintf("/w%d", n))
		return &ir.Unit{Proxy: &p, Endpoints: u.Endpoints}
	})
}

func BenchmarkEndpointsChanged(b *testing.B) {
	benchmark(b, func(u *ir.Unit, n int) *ir.Unit {
		next := append([]*ir.Endpoints(nil), u.Endpoints...)
		i := n * 7919 % len(next)
		next[i] = endpoints(next[i].Key, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}), 80)) //nolint:gosec // It wraps.
		return &ir.Unit{Proxy: u.Proxy, Endpoints: next}
	})
}

// TestOneChangeIsFewBytes holds what a change of a large unit costs on the wire.
func TestOneChangeIsFewBytes(t *testing.T) {
	c := newCluster(t)
	o := c.start(t, "127.0.0.1:0", nil)
	o.Lead(1)
	u := large()
	o.Set(server.Set{Unit: u, Version: "v1"})
	c.pod("a", gateway)
	p, _ := c.pull(t, o, hello("a"))
	t.Logf("%d parts are %d bytes", p.parts, p.bytes)
	p.say(&wire.State{Answered: 1, Holds: 1, Active: 1, Version: "v1"})
	o.runs("a", "v1")
	changed := *u.Proxy
	changed.Routes = append([]*ir.Route(nil), u.Proxy.Routes...)
	changed.Routes[17] = longRoute(17, "/other")
	p.parts, p.bytes = 0, 0
	o.Set(server.Set{Unit: &ir.Unit{Proxy: &changed, Endpoints: u.Endpoints}, Version: "v2"})
	heard[wire.Push](p)
	t.Logf("one route is %d part of %d bytes", p.parts, p.bytes)
	if p.parts != 1 || p.bytes > 1500 {
		t.Errorf("one route of %d is %d parts of %d bytes", manyRoutes, p.parts, p.bytes)
	}
	p.say(&wire.State{Answered: 2, Holds: 2, Active: 2, Version: "v2"})
	o.runs("a", "v2")
	next := append([]*ir.Endpoints(nil), u.Endpoints...)
	next[17] = endpoints(next[17].Key, netip.MustParseAddrPort("10.9.9.9:80"))
	p.parts, p.bytes = 0, 0
	o.Set(server.Set{Unit: &ir.Unit{Proxy: &changed, Endpoints: next}, Version: "v2"})
	heard[wire.Push](p)
	t.Logf("endpoints are %d part of %d bytes", p.parts, p.bytes)
	if p.parts != 1 || p.bytes > 600 {
		t.Errorf("endpoints are %d parts of %d bytes", p.parts, p.bytes)
	}
}
