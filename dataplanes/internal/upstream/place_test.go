package upstream

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

// The rules are kube-proxy's (CategorizeEndpoints of pkg/proxy).
func TestHints(t *testing.T) {
	zones := func(names ...string) ir.Endpoint { return ir.Endpoint{ForZones: names} }
	nodes := func(e ir.Endpoint, names ...string) ir.Endpoint {
		e.ForNodes = names
		return e
	}
	drains := func(e ir.Endpoint) ir.Endpoint {
		e.Draining = true
		return e
	}
	for _, c := range []struct {
		name      string
		place     Place
		endpoints []ir.Endpoint
		// used are the numbers of those in use.
		used string
	}{
		{"ours", Place{Zone: "a"}, []ir.Endpoint{zones("a"), zones("b"), zones("b", "a")}, "1 3"},
		{"one has none", Place{Zone: "a"}, []ir.Endpoint{zones("a"), zones("b"), zones()}, "1 2 3"},
		{"none is ours", Place{Zone: "c"}, []ir.Endpoint{zones("a"), zones("b")}, "1 2"},
		{"our zone is unknown", Place{}, []ir.Endpoint{zones("a"), zones("b")}, "1 2"},
		{"an empty zone is no zone", Place{}, []ir.Endpoint{zones(""), zones("b")}, "1 2"},
		{"what drains needs none", Place{Zone: "a"}, []ir.Endpoint{zones("a"), zones("b"), drains(zones())}, "1"},
		{"what drains is not ours", Place{Zone: "a"}, []ir.Endpoint{drains(zones("a")), zones("b")}, "2"},
		{"all drain, of whatever zone", Place{Zone: "a"}, []ir.Endpoint{drains(zones("a")), drains(zones("b"))}, "1 2"},
		{"the node goes first", Place{Zone: "a", Node: "n"}, []ir.Endpoint{nodes(zones("a"), "n"), nodes(zones("a"), "m")}, "1"},
		{"else the zone", Place{Zone: "a", Node: "n"}, []ir.Endpoint{nodes(zones("a"), "m"), nodes(zones("b"), "m")}, "1"},
		{"a node's hint for some is none", Place{Zone: "a", Node: "n"}, []ir.Endpoint{nodes(zones("b"), "n"), zones("a")}, "2"},
		{"the node is unknown", Place{Zone: "a"}, []ir.Endpoint{nodes(zones("a"), "n"), nodes(zones("b"), "n")}, "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, ir.Backend{}, nil)
			r.place = c.place
			list := some(len(c.endpoints))
			for i, e := range c.endpoints {
				list[i].ForZones, list[i].ForNodes, list[i].Draining = e.ForZones, e.ForNodes, e.Draining
			}
			r.have(list)
			var used []string
			for name := range r.counts(100, noKey) {
				name, _, _ = strings.Cut(strings.TrimPrefix(name, "10.0.0."), ":")
				used = append(used, name)
			}
			slices.Sort(used)
			if got := strings.Join(used, " "); got != c.used {
				t.Errorf("%s are used, want %s", got, c.used)
			}
		})
	}
}

// Better somebody far away than nobody.
func TestFarEndpointsAreForRetries(t *testing.T) {
	r := newRig(t, ir.Backend{}, nil)
	r.place = Place{Zone: "a"}
	list := some(3)
	list[0].ForZones, list[1].ForZones, list[2].Draining = []string{"a"}, []string{"b"}, true
	r.have(list)
	var w want
	for _, e := range list {
		if got := r.pick(w); got != r.at(t, e) {
			t.Fatalf("%v was picked, want %s", got, e.Address)
		}
		w.tried = append(w.tried, r.at(t, e))
	}
}
