package ordertest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// The ports of units. Plain is one of HTTP.
const (
	Plain  = 80
	Secure = 443
)

// What is drawn from is small, so that matches meet requests often.
var (
	// Hosts are those of requests.
	Hosts = []string{"a.org", "b.a.org", "c.b.a.org", "org", "b.org", "x.net"}
	// Hostnames are those of listeners and routes.
	Hostnames = []string{"*", "a.org", "b.a.org", "*.a.org", "*.org", "x.net", "*.net"}
	// Paths are those of requests, and of exact matches.
	Paths = []string{"/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/b", "/~a", "/a%20b", "/admin/x", "/admin"}

	prefixes = []string{"/", "/a", "/a/b", "/a/b/c", "/ab", "/%7Ea", "/~a", "/b"}
	patterns = []string{
		"/a.*", "/a/[bc]", ".*", "/a|/b", "/admin/(", "(", "/[ab]", "a)|(b", "^/a/.*", "(?i)/A/B", "/admin/.*",
		"/a/b.*", "/ab?/.*", "/a/b/.*", "/a/b$", "^/a($|/.*$)",
	}
	values      = []string{"1", "2", "1,2", "", "a b"}
	expressions = []string{"[0-9]", ".*", ".+", "[12]", "1,2", "a b", "a[ ]b", "("}
	queries     = []string{"", "p=1", "p=2&q=1", "q=a+b", "%70=1&p=2", "p", "p=%31", "&&q=%zz", "P=1", "p=a%20b&q=2"}
)

// Certificate is that of all listeners of HTTPS.
var Certificate = ir.CertificateKey{Namespace: "n", Name: "tls"}

var owner = ir.Object{Kind: "Gateway", Namespace: "n", Name: "g"}

// Unit draws a unit with listeners at both ports. The backend of a rule is named by
// its route's and its own index: "r0-1".
func Unit(t *rapid.T) *ir.Unit {
	proxy := &ir.Proxy{Owner: owner, Certificates: []*ir.Certificate{{Key: Certificate}}}
	proxy.Listeners = append(listeners(t, Plain, ir.HTTP), listeners(t, Secure, ir.HTTPS)...)
	for i := range rapid.IntRange(1, 6).Draw(t, "routes") {
		proxy.Routes = append(proxy.Routes, Route(t, i, proxy.Listeners))
	}
	return &ir.Unit{Proxy: proxy}
}

// listeners draws those of one port, the first of which is not refused.
func listeners(t *rapid.T, port uint16, protocol ir.Protocol) []*ir.Listener {
	var all []*ir.Listener
	for i, h := range rapid.SliceOfNDistinct(rapid.SampledFrom(Hostnames), 1, 4, rapid.ID[string]).Draw(t, "listeners") {
		l := &ir.Listener{
			Key:  ir.ListenerKey{Owner: owner, Section: fmt.Sprintf("%s-%d", h, port)},
			Port: port, Protocol: protocol, Hostname: h,
		}
		if protocol == ir.HTTPS {
			l.TLS = &ir.ListenerTLS{Mode: ir.Terminate, Certificates: []ir.CertificateKey{Certificate}}
		}
		if i > 0 {
			l.Refused = rapid.SampledFrom([]string{"", "", "", "a reason"}).Draw(t, "refused")
		}
		all = append(all, l)
	}
	return all
}

// Route draws a route that is attached to some of a unit's listeners. Its name is of
// its index.
func Route(t *rapid.T, index int, listeners []*ir.Listener) *ir.Route {
	route := &ir.Route{
		Origin:  ir.Object{Kind: "HTTPRoute", Namespace: "n", Name: fmt.Sprintf("r%d", index)},
		Kind:    ir.HTTPRoute,
		Created: time.Unix(rapid.Int64Range(1, 3).Draw(t, "created"), 0),
	}
	for _, l := range listeners {
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(Hostnames), 0, 3, rapid.ID[string]).Draw(t, "hostnames")
		// The ir holds intersections alone, and nothing is attached to what is refused.
		names = slices.DeleteFunc(names, func(name string) bool { return l.Refused != "" || !covers(l.Hostname, name) })
		if len(names) > 0 {
			route.Attachments = append(route.Attachments, ir.Attachment{Listener: l.Key, Hostnames: names})
		}
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "rules") {
		// Now and then, long lists of matches are drawn, for what is indexed.
		matches := rapid.SliceOfN(rapid.Custom(match), 1, rapid.SampledFrom([]int{2, 40}).Draw(t, "most")).Draw(t, "matches")
		route.Rules = append(route.Rules, &ir.Rule{
			Origin: ir.Origin{Object: route.Origin, Rule: i}, Matches: matches,
			Backends: []ir.BackendUse{{Weight: 1, Backend: &ir.BackendKey{
				EndpointsKey: ir.EndpointsKey{Namespace: "n", Service: fmt.Sprintf("r%d-%d", index, i), Port: 80}, Protocol: ir.BackendHTTP1,
			}}},
		})
	}
	return route
}

// covers reports whether one hostname covers all hosts of another.
func covers(wide, narrow string) bool {
	if wide == narrow || wide == order.AnyHost || narrow == order.AnyHost {
		return wide == narrow || wide == order.AnyHost
	}
	return order.MatchHostname(wide, strings.Replace(narrow, "*", "any", 1))
}

func match(t *rapid.T) ir.Match {
	var m ir.Match
	switch m.Path.Kind = rapid.SampledFrom([]ir.MatchKind{ir.Exact, ir.Prefix, ir.Regex}).Draw(t, "kind"); m.Path.Kind {
	case ir.Exact:
		m.Path.Value = rapid.SampledFrom(Paths).Draw(t, "exact")
	case ir.Prefix:
		m.Path.Value = rapid.SampledFrom(prefixes).Draw(t, "prefix")
	default:
		m.Path.Value = rapid.SampledFrom(patterns).Draw(t, "pattern")
	}
	m.Method = rapid.SampledFrom([]string{"", "", "GET", "POST"}).Draw(t, "method")
	m.Headers = conditions(t, "x-a", "x-b")
	m.Query = conditions(t, "p", "q")
	return m
}

func conditions(t *rapid.T, names ...string) []ir.ValueMatch {
	var all []ir.ValueMatch
	for _, name := range names {
		switch rapid.IntRange(0, 5).Draw(t, name) {
		case 0:
			all = append(all, ir.ValueMatch{Name: name, Kind: ir.Exact, Value: rapid.SampledFrom(values).Draw(t, "value")})
		case 1:
			all = append(all, ir.ValueMatch{Name: name, Kind: ir.Regex, Value: rapid.SampledFrom(expressions).Draw(t, "expression")})
		}
	}
	return all
}

// Request draws a request for one of some hosts and paths.
func Request(t *rapid.T, hosts, paths []string) order.Request {
	r := order.Request{
		Method: rapid.SampledFrom([]string{"GET", "POST"}).Draw(t, "method"),
		Host:   rapid.SampledFrom(hosts).Draw(t, "host"),
		Path:   rapid.SampledFrom(paths).Draw(t, "path"),
		Query:  rapid.SampledFrom(queries).Draw(t, "query"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		r.Headers = append(r.Headers, ir.Header{
			Name: rapid.SampledFrom([]string{"X-A", "x-a", "X-b", "y"}).Draw(t, "name"), Value: rapid.SampledFrom(values).Draw(t, "value"),
		})
	}
	return r
}

// Edit changes, adds or takes away a route, or changes what all routes read.
func Edit(t *rapid.T, unit *ir.Unit) *ir.Unit {
	proxy := *unit.Proxy
	proxy.Routes = slices.Clone(proxy.Routes)
	at := rapid.IntRange(0, len(proxy.Routes)-1).Draw(t, "at")
	switch rapid.IntRange(0, 3).Draw(t, "edit") {
	case 0:
		// It is the same object, edited.
		n, _ := strconv.Atoi(proxy.Routes[at].Origin.Name[1:])
		proxy.Routes[at] = Route(t, n, proxy.Listeners)
	case 1:
		proxy.Routes = append(proxy.Routes, Route(t, unused(proxy.Routes), proxy.Listeners))
	case 2:
		if len(proxy.Routes) > 1 {
			proxy.Routes = slices.Delete(proxy.Routes, at, at+1)
		}
	case 3:
		proxy.Settings.Timeouts.Request++
	}
	return &ir.Unit{Proxy: &proxy}
}

// unused is the least number that no route has: a name is one object's.
func unused(routes []*ir.Route) int {
	for n := 0; ; n++ {
		if !slices.ContainsFunc(routes, func(r *ir.Route) bool { return r.Origin.Name == "r"+strconv.Itoa(n) }) {
			return n
		}
	}
}
