package envoy_test

import (
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
)

// BenchmarkOneEdit is how long it takes until one edit among 5,000 routes and as
// many backends is in force.
func BenchmarkOneEdit(b *testing.B) {
	r := newRig(b, dataplanes.Options{})
	r.listen("http")
	addr := named(b, "one")
	for i := range 5000 {
		r.route("http", fmt.Sprint("/", i), &ir.Rule{Backends: to(r.backend(fmt.Sprint("b", i), addr))})
	}
	r.must()
	// Ordered by key, as units are.
	b.Run("route", func(b *testing.B) {
		for i := range b.N {
			rule := *r.unit.Proxy.Routes[2500].Rules[0]
			rule.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-I", Value: fmt.Sprint(i)}}}}}
			r.unit.Proxy.Routes[2500] = withRule(r.unit.Proxy.Routes[2500], &rule)
			r.must()
		}
	})
	two := named(b, "two")
	b.Run("endpoints", func(b *testing.B) {
		for i := range b.N {
			r.endpoints(r.unit.Proxy.Backends[2500].Key.EndpointsKey, []string{addr, two}[i%2])
			r.must()
		}
	})
	b.Run("nothing", func(b *testing.B) {
		for range b.N {
			r.must()
		}
	})
}

// BenchmarkOneEditOfHosts is BenchmarkOneEdit with a hostname for each route.
func BenchmarkOneEditOfHosts(b *testing.B) {
	r := newRig(b, dataplanes.Options{})
	r.listen("http")
	addr := named(b, "one")
	for i := range 5000 {
		r.route("http", "/", &ir.Rule{Backends: to(r.backend(fmt.Sprint("b", i), addr))})
		r.unit.Proxy.Routes[i].Attachments[0].Hostnames = []string{fmt.Sprintf("h%d.example.org", i)}
	}
	r.must()
	for n := 0; b.Loop(); n++ {
		rule := *r.unit.Proxy.Routes[2500].Rules[0]
		rule.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-I", Value: fmt.Sprint(n)}}}}}
		r.unit.Proxy.Routes[2500] = withRule(r.unit.Proxy.Routes[2500], &rule)
		r.must()
	}
}
