package envoy_test

import (
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
)

// BenchmarkOneEdit is how long it takes until one edit among 5,000 routes and as
// many backends is in force.
func BenchmarkOneEdit(b *testing.B) {
	r := newRig(b, dataplanes.Options{})
	r.Listen("http")
	addr := rig.Named(b, "one")
	for i := range 5000 {
		r.Route("http", fmt.Sprint("/", i), &ir.Rule{Backends: rig.To(r.Backend(fmt.Sprint("b", i), addr))})
	}
	r.Must()
	// Ordered by key, as units are.
	b.Run("route", func(b *testing.B) {
		for i := range b.N {
			rule := *r.Unit.Proxy.Routes[2500].Rules[0]
			rule.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-I", Value: fmt.Sprint(i)}}}}}
			r.Unit.Proxy.Routes[2500] = rig.WithRule(r.Unit.Proxy.Routes[2500], &rule)
			r.Must()
		}
	})
	two := rig.Named(b, "two")
	b.Run("endpoints", func(b *testing.B) {
		for i := range b.N {
			r.Endpoints(r.Unit.Proxy.Backends[2500].Key.EndpointsKey, []string{addr, two}[i%2])
			r.Must()
		}
	})
	b.Run("nothing", func(b *testing.B) {
		for range b.N {
			r.Must()
		}
	})
}

// BenchmarkOneEditOfHosts is BenchmarkOneEdit with a hostname for each route.
func BenchmarkOneEditOfHosts(b *testing.B) {
	r := newRig(b, dataplanes.Options{})
	r.Listen("http")
	addr := rig.Named(b, "one")
	for i := range 5000 {
		r.Route("http", "/", &ir.Rule{Backends: rig.To(r.Backend(fmt.Sprint("b", i), addr))})
		r.Unit.Proxy.Routes[i].Attachments[0].Hostnames = []string{fmt.Sprintf("h%d.example.org", i)}
	}
	r.Must()
	for n := 0; b.Loop(); n++ {
		rule := *r.Unit.Proxy.Routes[2500].Rules[0]
		rule.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-I", Value: fmt.Sprint(n)}}}}}
		r.Unit.Proxy.Routes[2500] = rig.WithRule(r.Unit.Proxy.Routes[2500], &rule)
		r.Must()
	}
}
