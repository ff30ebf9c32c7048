package haproxy

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/ir"
)

// What comes of endpoints that have changed is what would come of all anew, however
// often they change, and whatever else does in between.
func TestOtherEndpointsMakeWhatAllWouldMakeAnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := services(4)
		u.Proxy.Backends[1].TLS = &ir.BackendTLS{Hostname: "a.internal", SystemCAs: true, SANs: []ir.SAN{{URI: "spiffe://a"}}}
		u.Proxy.Backends[2].TLS = &ir.BackendTLS{Hostname: "a.internal", Invalid: "so"}
		u.Proxy.Backends[3].Balancing.Algorithm = ir.ConsistentHash
		last := Translate(u, here(), nil)
		for range rapid.IntRange(1, 6).Draw(t, "edits") {
			u = &ir.Unit{Proxy: u.Proxy, Endpoints: slices.Clone(u.Endpoints)}
			if rapid.IntRange(0, 3).Draw(t, "what") == 0 {
				proxy := *u.Proxy
				proxy.Routes = proxy.Routes[:rapid.IntRange(1, len(proxy.Routes)).Draw(t, "routes")]
				u.Proxy = &proxy
			}
			i := rapid.IntRange(0, 3).Draw(t, "service")
			e := &ir.Endpoints{Key: u.Endpoints[i].Key}
			for j := range rapid.IntRange(0, 3).Draw(t, "endpoints") {
				e.Endpoints = append(e.Endpoints, ir.Endpoint{
					Address: fmt.Sprintf("10.0.0.%d", j), Port: 80, Draining: rapid.Bool().Draw(t, "draining"),
					ForZones: []string{rapid.SampledFrom([]string{"here", "there"}).Draw(t, "zone")},
				})
			}
			u.Endpoints[i] = e
			last = Translate(u, here(), last)
			fresh := Translate(u, here(), nil)
			for what, says := range map[string][2]string{
				"configuration": {last.Text(), fresh.Text()}, "map": {last.Map(), fresh.Map()},
				"openings": {fmt.Sprint(last.Detours.Openings), fmt.Sprint(fresh.Detours.Openings)},
			} {
				if says[0] != says[1] {
					t.Fatalf("the %s where it has changed:\n%s\nall anew:\n%s", what, says[0], says[1])
				}
			}
		}
	})
}
