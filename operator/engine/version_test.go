package engine

import (
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/hash"
)

func routes(n int) []*ir.Route {
	list := make([]*ir.Route, n)
	for i := range list {
		list[i] = &ir.Route{Origin: ir.Object{Kind: "HTTPRoute", Namespace: "a", Name: fmt.Sprint(i)}, Kind: ir.HTTPRoute}
	}
	return list
}

// TestOnlyNewPartsAreSummed: whatever comes, goes or moves, what is the same
// pointer is not encoded again, and the sum is that of a fresh start.
func TestOnlyNewPartsAreSummed(t *testing.T) {
	list := routes(100)
	extra := routes(102)[100:]
	var kept sums[ir.Route]
	count := 0
	sum := func(r *ir.Route) hash.Sum {
		count++
		return hash.Of(r)
	}
	for _, c := range []struct {
		what  string
		parts []*ir.Route
		want  int
	}{
		{"the start", list, 100},
		{"nothing new", list, 0},
		{"one changed", append(append(append([]*ir.Route{}, list[:50]...), extra[0]), list[51:]...), 1},
		{"it is back", list, 1},
		{"one gone", append(append([]*ir.Route{}, list[:20]...), list[21:]...), 0},
		{"one added in front", append([]*ir.Route{extra[1]}, list[21:]...), 1},
		{"turned around", []*ir.Route{list[60], list[40], extra[1], list[99]}, 0},
		{"none", nil, 0},
	} {
		count = 0
		got := kept.of(c.parts, sum)
		if count != c.want {
			t.Errorf("%s: %d parts were summed, want %d", c.what, count, c.want)
		}
		if fresh := (&sums[ir.Route]{}).of(c.parts, hash.Of); got != fresh {
			t.Errorf("%s: the sum is not that of a fresh start", c.what)
		}
	}
}

// TestVersionNamesContent: equal units have equal versions, others have not.
func TestVersionNamesContent(t *testing.T) {
	owner := ir.Object{Kind: "Gateway", Namespace: "a", Name: "g"}
	unit := func() *ir.Proxy {
		return &ir.Proxy{
			Owner: owner, Listeners: []*ir.Listener{{Key: ir.ListenerKey{Owner: owner, Section: "http"}, Port: 80}}, Routes: routes(3),
			Backends: []*ir.Backend{{Key: ir.BackendKey{Protocol: ir.BackendHTTP1}}}, Certificates: []*ir.Certificate{{PrivateKey: "k"}},
		}
	}
	var v version
	first := v.of(unit())
	if again := v.of(unit()); again != first {
		t.Error("equal units have different versions")
	}
	seen := map[string]string{first: "the unit"}
	for what, change := range map[string]func(*ir.Proxy){
		"owner":       func(p *ir.Proxy) { p.Owner.Name = "h" },
		"settings":    func(p *ir.Proxy) { p.Settings.Limits.Connections = 1 },
		"listener":    func(p *ir.Proxy) { p.Listeners[0].Port = 81 },
		"route":       func(p *ir.Proxy) { p.Routes[1].Kind = ir.GRPCRoute },
		"order":       func(p *ir.Proxy) { p.Routes[0], p.Routes[1] = p.Routes[1], p.Routes[0] },
		"backend":     func(p *ir.Proxy) { p.Backends[0].Key.Protocol = ir.BackendH2C },
		"certificate": func(p *ir.Proxy) { p.Certificates[0].PrivateKey = "l" },
		"no routes":   func(p *ir.Proxy) { p.Routes = nil },
	} {
		p := unit()
		change(p)
		got := v.of(p)
		if was, taken := seen[got]; taken {
			t.Errorf("%s: has the version of %s", what, was)
		}
		seen[got] = what
	}
}
