package haproxy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// wide is a short expression that no other is equal to and that is long for HAProxy.
func wide(i int) string { return fmt.Sprintf(`[\pL%d]*%d(?:\pN+x%d)?`, i%10, i, i) }

// wideRules are rules of a route that ask for wide expressions, some each.
func wideRules(route *ir.Route, from, rules, each int) {
	route.Rules = nil
	for i := range rules {
		rule := &ir.Rule{Origin: ir.Origin{Object: route.Origin, Rule: i}}
		for k := range each {
			rule.Matches = append(rule.Matches, ir.Match{
				Path:    ir.PathMatch{Kind: ir.Exact, Value: fmt.Sprintf("/%d/%d/%d", from, i, k)},
				Headers: []ir.ValueMatch{{Name: "x-a", Kind: ir.Regex, Value: wide(from + i*each + k)}},
			})
		}
		route.Rules = append(route.Rules, rule)
	}
}

// routesOf are units of several routes, the oldest first.
func routesOf(count int) *ir.Unit {
	unit := matching(ir.Match{})
	first := unit.Proxy.Routes[0]
	for i := 1; i < count; i++ {
		another := *first
		another.Origin.Name = fmt.Sprintf("r%d", i)
		unit.Proxy.Routes = append(unit.Proxy.Routes, &another)
	}
	return unit
}

func octetsOf(c *Config) (all int) {
	for row := range c.Rows() {
		all += len(row.Key) + len(row.Value)
	}
	return all
}

// TestARoutesExpressionsHaveABound has one object ask for more than HAProxy could hold. Its
// rules beyond the bound answer 500 where they matched; nobody else's do.
func TestARoutesExpressionsHaveABound(t *testing.T) {
	unit := routesOf(2)
	greedy, other := unit.Proxy.Routes[0], unit.Proxy.Routes[1]
	wideRules(greedy, 1000, 16, 8)
	greedy.Rules[15].Matches[0].Path = ir.PathMatch{Kind: ir.Regex, Value: `/claimed/[0-9]+\pL+`}
	other.Rules = []*ir.Rule{{Origin: ir.Origin{Object: other.Origin}, Matches: []ir.Match{{Path: ir.PathMatch{Kind: ir.Regex, Value: "/other/[a-z]+"}}}}}
	config := Translate(unit, Target{}, nil)
	if n := octetsOf(config); n > 2*mostOfRoute {
		t.Errorf("the rows have %d bytes", n)
	}
	if len(config.Problems) == 0 || len(config.Problems) == len(greedy.Rules) {
		t.Fatalf("%d rules are refused, want some", len(config.Problems))
	}
	for _, p := range config.Problems {
		want := fmt.Sprintf("and %d are the most", mostOfRoute)
		if p.Origin.Name != "r" || !strings.HasPrefix(p.Message, "matches[") || !strings.Contains(p.Message, want) {
			t.Errorf("the problem is %+v", p)
		}
	}
	r := startRig(t, 80)
	r.load(t, config)
	door := r.dial(t, 80)
	for path, want := range map[string]string{
		"/1000/0/0":    "|HTTPRoute/n/r/0|",
		"/1000/14/0":   "|answer_500|HTTPRoute/n/r/14|",
		"/claimed/any": "|answer_500|HTTPRoute/n/r/15|",
		"/other/abc":   "|HTTPRoute/n/r1/0|",
	} {
		said := door.ask(t, order.Request{Method: "GET", Host: "any", Path: path, Headers: []ir.Header{{Name: "X-A", Value: "1000"}}})
		if !strings.Contains(said, want) {
			t.Errorf("%s is led by %q, want %q", path, said, want)
		}
	}
}

// TestAUnitsExpressionsHaveABound has many routes ask for much: the oldest are served, be
// they translated anew or taken over, and the others as soon as there is room.
func TestAUnitsExpressionsHaveABound(t *testing.T) {
	unit := routesOf(24)
	for i, route := range unit.Proxy.Routes {
		wideRules(route, i*1000+100, 1, 32)
	}
	refused := func(c *Config) string {
		var names []string
		for _, p := range c.Problems {
			if !strings.Contains(p.Message, fmt.Sprintf("and %d are the most", mostOfUnit)) {
				t.Errorf("the problem is %+v", p)
			}
			names = append(names, p.Origin.Name)
		}
		return strings.Join(names, " ")
	}
	all := Translate(unit, Target{}, nil)
	if n := octetsOf(all); n > mostOfUnit*11/10 {
		t.Errorf("the rows have %d bytes", n)
	}
	young := refused(all)
	if !strings.HasSuffix(young, "r22 r23") || strings.HasPrefix(young, "r r1") {
		t.Fatalf("of %d bytes the rules of %q are refused, want those of the youngest routes", octetsOf(all), young)
	}
	if again := refused(Translate(matchingRoutes(unit, unit.Proxy.Routes...), Target{}, all)); again != young {
		t.Errorf("when they are taken over the rules of %q are refused, want those of %q", again, young)
	}
	fewer := Translate(matchingRoutes(unit, unit.Proxy.Routes[14:]...), Target{}, all)
	if said := refused(fewer); said != "" {
		t.Errorf("with room the rules of %q are refused", said)
	}
	if got, want := octetsOf(fewer), octetsOf(Translate(matchingRoutes(unit, unit.Proxy.Routes[14:]...), Target{}, nil)); got != want {
		t.Errorf("taken over the rows have %d bytes, anew %d", got, want)
	}
}

// matchingRoutes is a unit with other routes.
func matchingRoutes(unit *ir.Unit, routes ...*ir.Route) *ir.Unit {
	proxy := *unit.Proxy
	proxy.Routes = routes
	return &ir.Unit{Proxy: &proxy, Endpoints: unit.Endpoints}
}
