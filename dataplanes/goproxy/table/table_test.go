package table

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
	"github.com/sluice-gateway/sluice/test/ordertest"
	"github.com/sluice-gateway/sluice/translators/goproxy"
)

var (
	owner    = ir.Object{Kind: "Gateway", Namespace: "infra", Name: "edge"}
	listener = ir.ListenerKey{Owner: owner, Section: "web"}
)

// newRoute makes a route of rules on the listener "web".
func newRoute(name string, hostnames []string, rules ...*ir.Rule) *ir.Route {
	origin := ir.Object{Kind: "HTTPRoute", Namespace: "shop", Name: name}
	for i, r := range rules {
		r.Origin = ir.Origin{Object: origin, Rule: i}
	}
	return &ir.Route{
		Origin: origin, Kind: ir.HTTPRoute, Created: time.Unix(1, 0), Rules: rules,
		Attachments: []ir.Attachment{{Listener: listener, Hostnames: hostnames}},
	}
}

func rule(kind ir.MatchKind, path string) *ir.Rule {
	return &ir.Rule{Matches: []ir.Match{{Path: ir.PathMatch{Kind: kind, Value: path}}}}
}

func unitOf(routes ...*ir.Route) *ir.Unit {
	return &ir.Unit{Proxy: &ir.Proxy{
		Owner:     owner,
		Listeners: []*ir.Listener{{Key: listener, Port: ordertest.Plain, Protocol: ir.HTTP, Hostname: "*"}},
		Routes:    routes,
	}}
}

func compileUnit(t testing.TB, unit *ir.Unit) (*Table, []ir.Problem) {
	t.Helper()
	return Compile(goproxy.Translate(unit, nil), nil)
}

func find(table *Table, host, path string) Hit {
	return table.Port(ordertest.Plain).Lookup("", &exchange.Request{Method: "GET", Host: host, Path: path})
}

func TestABadExpressionCostsItsRuleAlone(t *testing.T) {
	bad := rule(ir.Regex, "/admin/(")
	badHeader := rule(ir.Prefix, "/api")
	badHeader.Matches[0].Headers = []ir.ValueMatch{{Name: "x-a", Kind: ir.Regex, Value: "["}}
	table, problems := compileUnit(t, unitOf(
		newRoute("bad", []string{"*"}, bad, badHeader),
		newRoute("good", []string{"*"}, rule(ir.Prefix, "/")),
	))
	if len(problems) != 2 || !strings.Contains(problems[0].Message, "matches[0].path") || problems[0].Origin != bad.Origin {
		t.Fatalf("problems are %v", problems)
	}
	if hit := find(table, "a", "/admin/users"); hit.Rule == nil || hit.Rule.Refused == "" {
		t.Errorf("/admin/users fell through to %v", hit.Rule)
	}
	if hit := find(table, "a", "/other"); hit.Rule == nil || hit.Rule.Refused != "" {
		t.Errorf("/other does not reach the good rule")
	}
	request := &exchange.Request{Host: "a", Path: "/api", Header: exchange.Header{{Name: "X-A", Value: "1"}}}
	if hit := table.Port(ordertest.Plain).Lookup("", request); hit.Rule == nil || hit.Rule.Refused == "" {
		t.Errorf("a header that a broken expression asks for fell through")
	}
}

func TestABadFilterRefusesItsRule(t *testing.T) {
	bad := rule(ir.Prefix, "/")
	bad.Filters = []ir.Filter{{RequestHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "Content-Length", Value: "0"}}}}}
	table, problems := compileUnit(t, unitOf(newRoute("bad", []string{"*"}, bad)))
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "filters[0].requestHeaders.set") {
		t.Errorf("problems are %v", problems)
	}
	if hit := find(table, "a", "/"); hit.Rule.Refused == "" || hit.Rule.Filters == nil {
		t.Errorf("the rule is served: %+v", hit.Rule)
	}
}

func TestARefusedRuleKeepsItsMatches(t *testing.T) {
	refused := rule(ir.Prefix, "/admin")
	refused.Refused = "not supported"
	table, problems := compileUnit(t, unitOf(newRoute("a", []string{"*"}, refused, rule(ir.Prefix, "/"))))
	if hit := find(table, "a", "/admin/x"); hit.Rule.Refused != "not supported" || len(problems) != 0 {
		t.Errorf("got %+v, %v", hit.Rule, problems)
	}
}

func TestCompileTakesOverWhatHasNotChanged(t *testing.T) {
	kept, changed := newRoute("kept", []string{"kept.example"}, rule(ir.Prefix, "/")), newRoute("changed", []string{"changed.example"}, rule(ir.Regex, "("))
	config := goproxy.Translate(unitOf(kept, changed), nil)
	first, problems := Compile(config, nil)
	if len(problems) != 1 {
		t.Fatalf("problems are %v", problems)
	}
	next := goproxy.Translate(unitOf(kept, newRoute("changed", []string{"changed.example"}, rule(ir.Prefix, "/"))), config)
	second, problems := Compile(next, first)
	if len(problems) != 0 {
		t.Errorf("problems of a rule that is gone: %v", problems)
	}
	if find(first, "kept.example", "/").Rule != find(second, "kept.example", "/").Rule {
		t.Error("an unchanged rule was compiled again")
	}
	if find(second, "changed.example", "/").Outcome != Found {
		t.Error("the changed rule is not served")
	}
	same, problems := Compile(config, first)
	if len(problems) != 1 || len(same.rules) != len(first.rules) {
		t.Errorf("compiled again: %d rules, problems %v", len(same.rules), problems)
	}
}

func TestListenersAreChosenBySNI(t *testing.T) {
	unit := unitOf(newRoute("a", []string{"a.example"}, rule(ir.Prefix, "/")))
	unit.Proxy.Listeners[0].Protocol = ir.HTTPS
	unit.Proxy.Listeners[0].Hostname = "*.example"
	table, _ := compileUnit(t, unit)
	port := table.Port(ordertest.Plain)
	for sni, want := range map[string]bool{
		"a.example": true, "A.Example.": true, "b.example": true, "example": false, "": false, "a.example..": false,
		"\u212Aey.example": false,
	} {
		if got := port.Listener(sni) != nil; got != want {
			t.Errorf("SNI %q finds a listener: %v, want %v", sni, got, want)
		}
	}
	request := &exchange.Request{Host: "a.example", Path: "/"}
	if hit := port.Lookup("", request); hit.Outcome != NoRoute {
		t.Errorf("a connection without SNI is served: %+v", hit)
	}
	if hit := port.Lookup("B.example.", request); hit.Outcome != Found {
		t.Errorf("a connection of the same listener is not served: %+v", hit)
	}
}

func TestPickFollowsTheWeights(t *testing.T) {
	spec := rule(ir.Prefix, "/")
	spec.Backends = []ir.BackendUse{{Weight: 1}, {Weight: 0}, {Weight: 3}}
	r := newRule(ir.HTTPRoute, spec)
	const draws = 4000
	counts := map[*Use]int{}
	for i := range uint64(draws) {
		counts[r.Pick(i*(^uint64(0)/draws))]++
	}
	if a, b, c := counts[&r.Uses[0]], counts[&r.Uses[1]], counts[&r.Uses[2]]; a < 990 || a > 1010 || b != 0 || a+c != draws {
		t.Errorf("of %d, the backends of weights 1, 0 and 3 got %d, %d and %d", draws, a, b, c)
	}
	if r.Pick(^uint64(0)) != &r.Uses[2] {
		t.Error("the greatest draw chooses nothing")
	}
	spec.Backends = spec.Backends[1:2]
	if newRule(ir.HTTPRoute, spec).Pick(7) != nil {
		t.Error("a total weight of 0 chooses a backend")
	}
}

func TestAThousandHeaderMatchesOnOnePath(t *testing.T) {
	table, _ := compileUnit(t, unitOf(wideRoute(1000)))
	for _, i := range []int{0, 17, 999} {
		hit := table.Port(ordertest.Plain).Lookup("", tenantRequest(i))
		if hit.Rule == nil || hit.Rule.Origin.Rule != i {
			t.Errorf("tenant %d is served by %+v", i, hit.Rule)
		}
	}
}

func wideRoute(n int) *ir.Route {
	var rules []*ir.Rule
	for i := range n {
		r := rule(ir.Prefix, "/api")
		r.Matches[0].Headers = []ir.ValueMatch{{Name: "x-tenant", Kind: ir.Exact, Value: fmt.Sprintf("t%d", i)}}
		rules = append(rules, r)
	}
	return newRoute("wide", []string{"*"}, rules...)
}

func tenantRequest(i int) *exchange.Request {
	return &exchange.Request{Method: "GET", Host: "a", Path: "/api/x", Header: exchange.Header{
		{Name: "User-Agent", Value: "curl"}, {Name: "Accept", Value: "*/*"}, {Name: "X-Tenant", Value: fmt.Sprintf("t%d", i)},
	}}
}

// TestLookupDoesNotAllocate covers each way through the table.
func TestLookupDoesNotAllocate(t *testing.T) {
	withQuery := rule(ir.Prefix, "/query")
	withQuery.Matches[0].Query = []ir.ValueMatch{{Name: "a b", Kind: ir.Exact, Value: "c d"}}
	table, _ := compileUnit(t, unitOf(
		newRoute("a", []string{"a.example", "*.example"}, rule(ir.Exact, "/exact"), rule(ir.Prefix, "/prefix"), withQuery),
		wideRoute(100),
	))
	port := table.Port(ordertest.Plain)
	tenant := tenantRequest(42)
	requests := []*exchange.Request{
		{Host: "a.example", Path: "/exact"},
		{Host: "c.b.example", Path: "/prefix/a/b/c"},
		{Host: "a.example", Path: "/query", Query: "x=1&a+b=c%20d"},
		{Host: "a.example", Path: "/missing"},
		tenant,
	}
	for _, r := range requests {
		if n := testing.AllocsPerRun(100, func() { port.Lookup("", r) }); n != 0 {
			t.Errorf("%s%s?%s allocates %v times", r.Host, r.Path, r.Query, n)
		}
	}
}

// TestALongPathIsNotSearchedInFull guards against paths of many segments: the
// look-up stops where the prefixes do.
func TestALongPathIsNotSearchedInFull(t *testing.T) {
	table, _ := compileUnit(t, unitOf(newRoute("a", []string{"*"}, rule(ir.Prefix, "/a"))))
	hit := find(table, strings.Repeat("x.", 120)+"org", "/a"+strings.Repeat("/b", 1<<16))
	if hit.Prefix != "/a" {
		t.Errorf("got %+v", hit)
	}
}

// FuzzSNI: a handshake meets the listener that order selects, whatever the
// client writes.
func FuzzSNI(f *testing.F) {
	for _, seed := range []string{"", "a.example", "A.Example.", "*.example", ".example", "x.y.a.example", "\u212Aey.example", "a\x00.example"} {
		f.Add(seed)
	}
	unit := unitOf()
	unit.Proxy.Listeners = nil
	for _, hostname := range []string{"a.example", "*.example", "*.a.example", "key.example"} {
		key := ir.ListenerKey{Owner: owner, Section: hostname}
		unit.Proxy.Listeners = append(unit.Proxy.Listeners, &ir.Listener{Key: key, Port: 443, Protocol: ir.HTTPS, Hostname: hostname})
	}
	table, _ := compileUnit(f, unit)
	f.Fuzz(func(t *testing.T, sni string) {
		got := table.Port(443).Listener(sni)
		want := order.Select(unit.Proxy.Listeners, strings.ToLower(strings.TrimSuffix(sni, ".")))
		if strings.ContainsFunc(sni, func(r rune) bool { return r >= 0x80 }) {
			want = nil
		}
		if (got == nil) != (want == nil) || got != nil && got.Config != want {
			t.Fatalf("SNI %q meets %+v, want %+v", sni, got, want)
		}
	})
}
