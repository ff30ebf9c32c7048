package envoy

import (
	"fmt"
	"testing"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/test/ordertest"
)

// many routes with as many backends, on hosts of their own or on one.
const many = 5000

func manyRoutes(oneHost bool) *ir.Unit {
	owner := ir.Object{Kind: "Gateway", Namespace: "n", Name: "g"}
	l := &ir.Listener{Key: ir.ListenerKey{Owner: owner, Section: "http"}, Port: ordertest.Plain, Protocol: ir.HTTP, Hostname: "*"}
	unit := &ir.Unit{Proxy: &ir.Proxy{Owner: owner, Listeners: []*ir.Listener{l}}}
	for i := range many {
		route := oneOfMany(i, oneHost, l)
		key := *route.Rules[0].Backends[0].Backend
		unit.Proxy.Routes = append(unit.Proxy.Routes, route)
		unit.Proxy.Backends = append(unit.Proxy.Backends, &ir.Backend{Key: key})
		unit.Endpoints = append(unit.Endpoints, &ir.Endpoints{Key: key.EndpointsKey, Endpoints: []ir.Endpoint{{Address: "127.0.0.1", Port: 80}}})
	}
	return unit
}

func oneOfMany(i int, oneHost bool, l *ir.Listener) *ir.Route {
	host, at := fmt.Sprintf("h%d.example.org", i), "/"
	if oneHost {
		host, at = "shop.example.org", fmt.Sprintf("/team-%d/service-%d", i/100, i)
	}
	origin := ir.Object{Kind: "HTTPRoute", Namespace: "n", Name: fmt.Sprintf("r%d", i)}
	return &ir.Route{
		Origin: origin, Kind: ir.HTTPRoute, Created: time.Unix(int64(i), 0),
		Attachments: []ir.Attachment{{Listener: l.Key, Hostnames: []string{host}}},
		Rules: []*ir.Rule{{
			Origin: ir.Origin{Object: origin}, Matches: []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: at}}},
			Backends: []ir.BackendUse{{Weight: 1, Backend: &ir.BackendKey{
				EndpointsKey: ir.EndpointsKey{Namespace: "n", Service: fmt.Sprintf("s%04d", i), Port: 80}, Protocol: "http1",
			}}},
		}},
	}
}

// BenchmarkInForce is how long Envoy takes to have a whole route configuration of
// 5,000 routes in force, from its bytes being there to the first answer, and for how long it has a
// processor for that.
func BenchmarkInForce(b *testing.B) {
	for name, oneHost := range shapes {
		b.Run(name, func(b *testing.B) {
			r := startRig(b, "plain")
			config := Translate(manyRoutes(oneHost), Target{}, nil)
			message := config.Routes[0].Message.(*routev3.RouteConfiguration)
			before := r.busy()
			for b.Loop() {
				r.doors["plain"].serve(message)
			}
			b.ReportMetric(float64(proto.Size(message)), "bytes")
			b.ReportMetric(float64((r.busy()-before).Milliseconds())/float64(b.N), "envoy-cpu-ms/op")
		})
	}
}
