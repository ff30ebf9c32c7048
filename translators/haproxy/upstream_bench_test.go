package haproxy

import (
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

// services is a unit of so many Services of ten endpoints each, with a rule for each.
func services(n int) *ir.Unit {
	u := &ir.Unit{Proxy: &ir.Proxy{Listeners: []*ir.Listener{{Key: listenerKey, Port: 80, Protocol: ir.HTTP, Hostname: "*"}}}}
	for i := range n {
		key := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Namespace: "shop", Service: fmt.Sprintf("s%05d", i), Port: 80}, Protocol: ir.BackendHTTP1}
		u.Proxy.Backends = append(u.Proxy.Backends, &ir.Backend{Key: key, Ejection: &ir.Ejection{Failures: 3, BaseTime: 1e10, MaxTime: 1e11, MaxPercent: 50}})
		u.Proxy.Routes = append(u.Proxy.Routes, &ir.Route{
			Origin: ir.Object{Kind: "HTTPRoute", Namespace: "shop", Name: key.Service}, Kind: ir.HTTPRoute,
			Attachments: []ir.Attachment{{Listener: listenerKey, Hostnames: []string{key.Service + ".example"}}},
			Rules: []*ir.Rule{{
				Origin:   ir.Origin{Object: ir.Object{Kind: "HTTPRoute", Namespace: "shop", Name: key.Service}},
				Matches:  []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: "/"}}},
				Backends: []ir.BackendUse{{Backend: &key, Weight: 1}},
			}},
		})
		u.Endpoints = append(u.Endpoints, tenOf(key.EndpointsKey, i, 0))
	}
	return u
}

func tenOf(key ir.EndpointsKey, i, round int) *ir.Endpoints {
	e := &ir.Endpoints{Key: key}
	for j := range 10 {
		e.Endpoints = append(e.Endpoints, ir.Endpoint{Address: fmt.Sprintf("10.%d.%d.%d", i/250, i%250, 10+j+10*(round%10)), Port: 8080})
	}
	return e
}

// BenchmarkOneServiceOf5000 is what it costs that the endpoints of one Service of
// 5,000 change.
func BenchmarkOneServiceOf5000(b *testing.B) {
	u := services(5000)
	last := Translate(u, here(), nil)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		next := &ir.Unit{Proxy: u.Proxy, Endpoints: append([]*ir.Endpoints(nil), u.Endpoints...)}
		next.Endpoints[42] = tenOf(u.Endpoints[42].Key, 42, i+1)
		last = Translate(next, here(), last)
	}
}

// BenchmarkAllOf5000 is what it costs to begin with 5,000 Services.
func BenchmarkAllOf5000(b *testing.B) {
	u := services(5000)
	b.ReportAllocs()
	for b.Loop() {
		Translate(u, here(), nil)
	}
}
