package haproxy

import (
	"fmt"
	"slices"
	"strings"
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
		adorned := map[*ir.Rule]bool{}
		for range 4 {
			adorn(t, unit, adorned)
			last = Translate(unit, Target{}, last)
			anew := Translate(unit, Target{}, nil)
			for what, texts := range map[string][2]string{
				"rows":       {last.Map(), anew.Map()},
				"sections":   {last.Text(), anew.Text()},
				"problems":   {fmt.Sprint(last.Problems), fmt.Sprint(anew.Problems)},
				"files":      {fmt.Sprint(names(last.Files)), fmt.Sprint(names(anew.Files))},
				"detours":    {fmt.Sprint(len(last.Detours.HTTP)), fmt.Sprint(len(anew.Detours.HTTP))},
				"origins":    {origins(last), origins(anew)},
				"duplicates": {twice(last), ""},
			} {
				if texts[0] != texts[1] {
					t.Fatalf("%s:\n%s\nwant\n%s", what, texts[0], texts[1])
				}
			}
			unit = ordertest.Edit(t, unit)
		}
	})
}

// adorn has new rules do more than lead, and changes what they lead to.
func adorn(t *rapid.T, unit *ir.Unit, adorned map[*ir.Rule]bool) {
	keys := map[ir.BackendKey]bool{}
	for _, route := range unit.Proxy.Routes {
		for _, rule := range route.Rules {
			if !adorned[rule] {
				adornRule(t, rule)
				adorned[rule] = true
			}
			for _, use := range rule.Backends {
				if use.Backend != nil && !keys[*use.Backend] {
					keys[*use.Backend] = true
					unit.Proxy.Backends = append(unit.Proxy.Backends, &ir.Backend{Key: *use.Backend, Balancing: ir.Balancing{
						Algorithm: rapid.SampledFrom([]ir.BalancingAlgorithm{"", ir.LeastRequest}).Draw(t, "balancing"),
					}})
					unit.Endpoints = append(unit.Endpoints, &ir.Endpoints{Key: use.Backend.EndpointsKey, Endpoints: []ir.Endpoint{
						{Address: "127.0.0.1", Port: rapid.SampledFrom([]uint16{80, 81}).Draw(t, "port")},
					}})
				}
			}
		}
	}
}

func adornRule(t *rapid.T, rule *ir.Rule) {
	key := rule.Backends[0].Backend
	other := *key
	other.Service += "-other"
	switch rapid.IntRange(0, 9).Draw(t, "adornment") {
	case 0:
		rule.Refused, rule.Backends = "a reason", nil
	case 1:
		rule.Filters = []ir.Filter{{RequestHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-A", Value: "1"}}}}}
	case 2:
		rule.Filters, rule.Backends = []ir.Filter{{Redirect: &ir.Redirect{Status: 302, Hostname: "b.example"}}}, nil
	case 3:
		rule.Backends = append(rule.Backends, ir.BackendUse{Backend: &other, Weight: 3}, ir.BackendUse{Weight: 1})
	case 4:
		rule.Backends = append(rule.Backends, ir.BackendUse{Backend: &other, Weight: 0})
	case 5:
		rule.Session = &ir.Session{Name: "s"}
		rule.Backends = append(rule.Backends, ir.BackendUse{Backend: &other, Weight: 1})
	case 6:
		rule.Filters = []ir.Filter{{Mirror: &ir.Mirror{Backend: other, Numerator: 1, Denominator: 1}}}
	case 7:
		rule.Retry = &ir.Retry{Attempts: 1, Codes: []int{rapid.SampledFrom([]int{500, 509}).Draw(t, "code")}}
	}
}

func names(files []*File) []string {
	var all []string
	for _, f := range files {
		all = append(all, f.Name)
	}
	return all
}

// origins are those of all sections, sorted.
func origins(c *Config) string {
	var b strings.Builder
	for _, s := range c.Sections {
		var all []string
		for _, o := range s.Origins {
			all = append(all, fmt.Sprint(o))
		}
		slices.Sort(all)
		_, _ = fmt.Fprintln(&b, s.Name, all)
	}
	return b.String()
}

// twice is a key that more than one row has.
func twice(c *Config) string {
	seen := map[string]bool{}
	for row := range c.Rows() {
		if seen[row.Key] {
			return row.Key
		}
		seen[row.Key] = true
	}
	return ""
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
