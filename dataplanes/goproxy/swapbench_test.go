package goproxy_test

import (
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

// BenchmarkSwap puts a table of 1,000 routes in force of which one has changed,
// as an edit does. At 1,000 a minute a swap of 3 ms would be 5 % of a processor.
func BenchmarkSwap(b *testing.B) {
	const routes = 1000
	r := newRig(b)
	r.log.discard = true
	r.listen("http")
	use := to(r.backend("b", ir.BackendHTTP1, named(b, "b")))
	for i := range routes {
		r.route("http", &ir.Rule{
			Backends: use, Matches: []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: fmt.Sprintf("/r%04d", i)}}},
		})
	}
	r.must()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		changed := *r.unit.Proxy.Routes[n%routes]
		rule := *changed.Rules[0]
		rule.Matches = []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: fmt.Sprintf("/edited%d", n)}}}
		changed.Rules = []*ir.Rule{&rule}
		all := append([]*ir.Route(nil), r.unit.Proxy.Routes...)
		all[n%routes] = &changed
		r.unit.Proxy.Routes = all
		r.apply()
	}
}
