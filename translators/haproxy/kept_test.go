package haproxy

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/test/ordertest"
)

// many routes with as many backends, on hosts of their own or on one.
const many = 5000

// shapes of many routes.
var shapes = map[string]bool{"hosts": false, "one-host": true}

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
				EndpointsKey: ir.EndpointsKey{Namespace: "n", Service: fmt.Sprintf("s%04d", i), Port: 80}, Protocol: ir.BackendHTTP1,
			}}},
		}},
	}
}

// changeOne is a unit with another match in one of its routes.
func changeOne(unit *ir.Unit, at int, oneHost bool) *ir.Unit {
	proxy := *unit.Proxy
	proxy.Routes = slices.Clone(proxy.Routes)
	route := oneOfMany(at, oneHost, proxy.Listeners[0])
	route.Rules[0].Matches[0].Method = "GET"
	proxy.Routes[at] = route
	return &ir.Unit{Proxy: &proxy, Endpoints: unit.Endpoints}
}

// TestOneChangeIsCheap counts allocations: what has not changed is taken over.
func TestOneChangeIsCheap(t *testing.T) {
	for name, oneHost := range shapes {
		t.Run(name, func(t *testing.T) {
			unit := manyRoutes(oneHost)
			first := Translate(unit, Target{}, nil)
			full := testing.AllocsPerRun(1, func() { Translate(unit, Target{}, nil) })
			changed := changeOne(unit, 4321, oneHost)
			one := testing.AllocsPerRun(3, func() { Translate(changed, Target{}, first) })
			if one > full/20 {
				t.Errorf("%.0f allocations for one changed route, %.0f for all: more than a twentieth", one, full)
			}
		})
	}
}

// TestNothingChangedIsTheSame shows that equal parts are the same pointers.
func TestNothingChangedIsTheSame(t *testing.T) {
	unit := manyRoutes(false)
	first := Translate(unit, Target{}, nil)
	second := Translate(&ir.Unit{Proxy: unit.Proxy, Endpoints: unit.Endpoints}, Target{}, first)
	if !slices.Equal(first.Blocks, second.Blocks) {
		t.Error("blocks of rows were made anew")
	}
	for i, s := range second.Sections {
		if s.Kind == "backend" && s != first.Sections[i] {
			t.Errorf("%s was made anew", s.Name)
		}
	}
}

// TestKeptIsAsMadeAnew shows that whatever is taken over says what a translation from
// nothing says, through random edits.
func TestKeptIsAsMadeAnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var last *Config
		unit := ordertest.Unit(t)
		for range 4 {
			last = Translate(unit, Target{}, last)
			anew := Translate(unit, Target{}, nil)
			if got, want := last.Map(), anew.Map(); got != want {
				t.Fatalf("rows:\n%s\nwant\n%s", got, want)
			}
			if got, want := last.Text(), anew.Text(); got != want {
				t.Fatalf("sections:\n%s\nwant\n%s", got, want)
			}
			if !slices.Equal(last.Problems, anew.Problems) {
				t.Fatalf("problems: %v, want %v", last.Problems, anew.Problems)
			}
			unit = ordertest.Edit(t, unit)
		}
	})
}

// BenchmarkTranslateOneChange is what one changed match among 5,000 routes costs.
func BenchmarkTranslateOneChange(b *testing.B) {
	for name, oneHost := range shapes {
		b.Run(name, func(b *testing.B) {
			unit := manyRoutes(oneHost)
			last := Translate(unit, Target{}, nil)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				unit = changeOne(unit, i%many, oneHost)
				last = Translate(unit, Target{}, last)
			}
		})
	}
}
