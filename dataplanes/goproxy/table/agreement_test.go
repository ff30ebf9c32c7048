package table

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
	"github.com/sluice-gateway/sluice/translators/goproxy"
)

// TestLookupAgreesWithOrder holds the fast look-up to the slow evaluation that
// explain shows, on random units and requests.
func TestLookupAgreesWithOrder(t *testing.T) { rapid.Check(t, agree) }

func FuzzLookupAgreesWithOrder(f *testing.F) { f.Fuzz(rapid.MakeFuzz(agree)) }

const (
	plainPort  = 80
	securePort = 443
)

func agree(t *rapid.T) {
	config := goproxy.Translate(drawUnit(t), nil)
	compiled, _ := Compile(config, nil)
	for range 8 {
		r, sni := drawRequest(t), rapid.SampledFrom(hosts).Draw(t, "sni")
		for _, port := range config.Ports {
			got := describe(compiled.Port(port.Port).Lookup(sni, r))
			if want := slow(port, sni, r); got != want {
				t.Fatalf("%s %s%s?%s %v, SNI %q, port %d: the table says %s, order says %s",
					r.Method, r.Host, r.Path, r.Query, r.Header, sni, port.Port, got, want)
			}
		}
	}
}

// slow answers as explain does.
func slow(port *order.Port, sni string, r *exchange.Request) string {
	var listeners []*ir.Listener
	for _, l := range port.Listeners {
		listeners = append(listeners, l.Listener)
	}
	chosen, verdict := order.Choose(listeners, sni, r.Host)
	if verdict == order.Misdirected {
		return "misdirected"
	}
	if verdict == order.NoListener {
		return "no route"
	}
	for _, l := range port.Listeners {
		if l.Listener != chosen {
			continue
		}
		request := order.Request{Method: r.Method, Host: r.Host, Path: r.Path, Query: r.Query}
		for _, f := range r.Header {
			request.Headers = append(request.Headers, ir.Header{Name: f.Name, Value: f.Value})
		}
		if won, ok := order.Winner(l, request); ok {
			prefix := ""
			if m := won.Entry.Match(); m.Path.Kind == ir.Prefix {
				prefix = order.Literal(m.Path)
			}
			return fmt.Sprintf("%v prefix %q", won.Entry.Rule.Origin, prefix)
		}
	}
	return "no route"
}

func describe(hit Hit) string {
	switch hit.Outcome {
	case Found:
		return fmt.Sprintf("%v prefix %q", hit.Rule.Origin, hit.Prefix)
	case Misdirected:
		return "misdirected"
	default:
		return "no route"
	}
}

// What is drawn from is small, so that matches meet requests often.
var (
	hosts    = []string{"", "a.org", "b.a.org", "c.b.a.org", "org", "b.org", "x.net"}
	attached = []string{"*", "a.org", "b.a.org", "*.a.org", "*.org", "x.net", "*.net"}
	paths    = []string{"/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/b", "/~a", "/a%20b", "/admin/x", "*"}
	prefixes = []string{"/", "/a", "/a/b", "/a/b/c", "/ab", "/%7Ea", "/~a", "/b"}
	patterns = []string{"/a.*", "/a/[bc]", ".*", "/a|/b", "/admin/(", "(", "/[ab]", "a)|(b"}
	values   = []string{"1", "2", "1,2", "", "a b"}
	queries  = []string{"", "p=1", "p=2&q=1", "q=a+b", "%70=1&p=2", "p", "p=%31", "&&q=%zz", "P=1", "p=a%20b&q=2"}
)

func drawUnit(t *rapid.T) *ir.Unit {
	owner := ir.Object{Kind: "Gateway", Namespace: "n", Name: "g"}
	proxy := &ir.Proxy{Owner: owner}
	for _, port := range []uint16{plainPort, securePort} {
		protocol := ir.HTTP
		if port == securePort {
			protocol = ir.HTTPS
		}
		for _, h := range rapid.SliceOfNDistinct(rapid.SampledFrom(attached), 1, 4, rapid.ID[string]).Draw(t, "listeners") {
			proxy.Listeners = append(proxy.Listeners, &ir.Listener{
				Key:  ir.ListenerKey{Owner: owner, Section: fmt.Sprintf("%s-%d", h, port)},
				Port: port, Protocol: protocol, Hostname: h,
				Refused: rapid.SampledFrom([]string{"", "", "", "a reason"}).Draw(t, "refused"),
			})
		}
	}
	for i := range rapid.IntRange(1, 6).Draw(t, "routes") {
		proxy.Routes = append(proxy.Routes, drawRoute(t, i, proxy.Listeners))
	}
	return &ir.Unit{Proxy: proxy}
}

func drawRoute(t *rapid.T, index int, listeners []*ir.Listener) *ir.Route {
	route := &ir.Route{
		Origin:  ir.Object{Kind: "HTTPRoute", Namespace: "n", Name: fmt.Sprintf("r%d", index)},
		Kind:    ir.HTTPRoute,
		Created: time.Unix(rapid.Int64Range(1, 3).Draw(t, "created"), 0),
	}
	for _, l := range listeners {
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(attached), 0, 3, rapid.ID[string]).Draw(t, "hostnames")
		route.Attachments = append(route.Attachments, ir.Attachment{Listener: l.Key, Hostnames: names})
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "rules") {
		// Now and then, long lists of matches are drawn, for the index of rows.
		matches := rapid.SliceOfN(rapid.Custom(drawMatch), 1, rapid.SampledFrom([]int{2, 40}).Draw(t, "most")).Draw(t, "matches")
		route.Rules = append(route.Rules, &ir.Rule{Origin: ir.Origin{Object: route.Origin, Rule: i}, Matches: matches})
	}
	return route
}

func drawMatch(t *rapid.T) ir.Match {
	var m ir.Match
	switch m.Path.Kind = rapid.SampledFrom([]ir.MatchKind{ir.Exact, ir.Prefix, ir.Regex}).Draw(t, "kind"); m.Path.Kind {
	case ir.Exact:
		m.Path.Value = rapid.SampledFrom(paths).Draw(t, "exact")
	case ir.Prefix:
		m.Path.Value = rapid.SampledFrom(prefixes).Draw(t, "prefix")
	default:
		m.Path.Value = rapid.SampledFrom(patterns).Draw(t, "pattern")
	}
	m.Method = rapid.SampledFrom([]string{"", "", "GET", "POST"}).Draw(t, "method")
	m.Headers = drawValues(t, "x-a", "x-b")
	m.Query = drawValues(t, "p", "q")
	return m
}

func drawValues(t *rapid.T, names ...string) []ir.ValueMatch {
	var all []ir.ValueMatch
	for _, name := range names {
		switch rapid.IntRange(0, 5).Draw(t, name) {
		case 0:
			all = append(all, ir.ValueMatch{Name: name, Kind: ir.Exact, Value: rapid.SampledFrom(values).Draw(t, "value")})
		case 1:
			pattern := rapid.SampledFrom([]string{"[0-9]", ".*", "(", "1,2"}).Draw(t, "expression")
			all = append(all, ir.ValueMatch{Name: name, Kind: ir.Regex, Value: pattern})
		}
	}
	return all
}

func drawRequest(t *rapid.T) *exchange.Request {
	r := &exchange.Request{
		Method: rapid.SampledFrom([]string{"GET", "POST"}).Draw(t, "method"),
		Host:   rapid.SampledFrom(hosts).Draw(t, "host"),
		Path:   rapid.SampledFrom(paths).Draw(t, "path"),
		Query:  rapid.SampledFrom(queries).Draw(t, "query"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		r.Header.Add(rapid.SampledFrom([]string{"X-A", "x-a", "X-b", "y"}).Draw(t, "name"), rapid.SampledFrom(values).Draw(t, "value"))
	}
	return r
}
