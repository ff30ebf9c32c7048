package place_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/place"
)

// The rules are kube-proxy's (CategorizeEndpoints of pkg/proxy).
func TestTiers(t *testing.T) {
	zone := func(names ...string) ir.Endpoint { return ir.Endpoint{ForZones: names} }
	node := func(names ...string) ir.Endpoint { return ir.Endpoint{ForZones: []string{"b"}, ForNodes: names} }
	for _, c := range []struct {
		name string
		here place.Place
		all  []ir.Endpoint
		want []place.Tier
	}{
		{"ours", place.Place{Zone: "a"}, []ir.Endpoint{zone("a"), zone("b")}, []place.Tier{place.Near, place.Far}},
		{"one has none", place.Place{Zone: "a"}, []ir.Endpoint{zone("a"), zone()}, []place.Tier{place.Near, place.Near}},
		{"none is ours", place.Place{Zone: "c"}, []ir.Endpoint{zone("a"), zone("b")}, []place.Tier{place.Near, place.Near}},
		{"ours is unknown", place.Place{}, []ir.Endpoint{zone("a"), zone("b")}, []place.Tier{place.Near, place.Near}},
		{"the node goes first", place.Place{Zone: "b", Node: "n"}, []ir.Endpoint{node("n"), node("m")}, []place.Tier{place.Near, place.Far}},
		{"what drains counts for nothing", place.Place{Zone: "a"}, []ir.Endpoint{zone("a"), zone("b"), {Draining: true}},
			[]place.Tier{place.Near, place.Far, place.Draining}},
	} {
		t.Run(c.name, func(t *testing.T) {
			meant := c.here.Preference(c.all)
			for i := range c.all {
				if got := meant.Tier(&c.all[i]); got != c.want[i] {
					t.Errorf("endpoint %d is of tier %d, want %d", i, got, c.want[i])
				}
			}
		})
	}
}
