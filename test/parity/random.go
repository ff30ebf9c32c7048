package parity

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
)

// chance makes trials. Equal seeds make equal trials.
type chance struct{ *rand.Rand }

func newChance(seed uint64) chance { return chance{rand.New(rand.NewPCG(seed, seed))} }

// one returns one of some.
func one[T any](c chance, of ...T) T { return of[c.IntN(len(of))] }

// often is true n of ten times.
func (c chance) often(n int) bool { return c.IntN(10) < n }

// some returns up to most values, each once.
func some(c chance, most int, of ...string) []any {
	var all []any
	for _, i := range c.Perm(len(of))[:c.IntN(min(most, len(of))+1)] {
		all = append(all, of[i])
	}
	return all
}

// trial makes a unit and requests to it.
func (c chance) trial(requests int) *trial {
	t := &trial{Manifest: furniture(), Objects: []object{c.gateway()}}
	for i := range 1 + c.IntN(5) {
		t.Objects = append(t.Objects, c.route(i))
	}
	if c.often(3) {
		t.Objects = append(t.Objects, c.grpcRoute())
	}
	words := wordsOf(t.Objects)
	for range requests {
		t.Requests = append(t.Requests, c.request(words))
	}
	return t
}

// backends are the Services that trials name.
var backends = []string{"one", "two", "three", "four"}

// furniture is what every trial has.
func furniture() string {
	var out strings.Builder
	for _, name := range backends {
		fmt.Fprintf(&out, `---
apiVersion: v1
kind: Service
metadata:
  name: %s
  annotations:
    parity.sluice.dev/backend: echo
spec:
  ports:
  - port: 80
`, name)
	}
	out.WriteString(`---
apiVersion: v1
kind: Secret
metadata:
  name: certificate
  annotations:
    parity.sluice.dev/certificate: '{cn: any, dns: [example, a.example, "*.example", "*.a.example", "*.b.a.example", other.test]}'
type: kubernetes.io/tls
`)
	return out.String()
}

func named(kind, version, name string, spec map[string]any) object {
	return object{
		"apiVersion": "gateway.networking.k8s.io/" + version, "kind": kind,
		"metadata": map[string]any{"name": name}, "spec": spec,
	}
}

func (c chance) gateway() object {
	listeners := []any{map[string]any{"name": "http", "port": 80, "protocol": "HTTP"}}
	for _, host := range some(c, 2, "a.example", "*.example", "*.a.example") {
		listeners = append(listeners, map[string]any{
			"name": fmt.Sprintf("http-%d", len(listeners)), "port": 80, "protocol": "HTTP", "hostname": host,
		})
	}
	for i, host := range append(some(c, 2, "a.example", "*.example"), "") {
		l := map[string]any{
			"name": fmt.Sprintf("https-%d", i), "port": 443, "protocol": "HTTPS",
			"tls": map[string]any{"certificateRefs": []any{map[string]any{"name": "certificate"}}},
		}
		if host != "" {
			l["hostname"] = host
		}
		listeners = append(listeners, l)
	}
	return named("Gateway", "v1", "gw", map[string]any{"gatewayClassName": "sluice", "listeners": listeners})
}

var hosts = []string{"a.example", "b.example", "*.example", "*.a.example", "b.a.example", "other.test"}

func (c chance) route(i int) object {
	spec := map[string]any{"parentRefs": []any{map[string]any{"name": "gw"}}}
	if names := some(c, 2, hosts...); len(names) > 0 {
		spec["hostnames"] = names
	}
	var rules []any
	for range 1 + c.IntN(4) {
		rules = append(rules, c.rule())
	}
	spec["rules"] = rules
	return named("HTTPRoute", "v1", fmt.Sprintf("r%d", i), spec)
}

func (c chance) rule() map[string]any {
	rule := map[string]any{}
	var matches []any
	prefixed := true
	for range c.IntN(3) {
		match, prefix := c.match()
		matches, prefixed = append(matches, match), prefixed && prefix
	}
	if len(matches) > 0 {
		rule["matches"] = matches
	}
	// A prefix can be replaced where there is but one.
	filters, redirects := c.filters(prefixed && len(matches) == 1)
	if len(filters) > 0 {
		rule["filters"] = filters
	}
	if !redirects && c.often(9) {
		rule["backendRefs"] = c.backendRefs()
	}
	return rule
}

// backendRefs are one that takes all requests and, at times, others that take none:
// shares are compared elsewhere.
func (c chance) backendRefs() []any {
	all := []any{c.backendRef(1)}
	if c.often(2) {
		all = append(all, c.backendRef(0))
	}
	return all
}

func (c chance) backendRef(weight int) map[string]any {
	name := one(c, backends...)
	if c.often(1) {
		name = "missing"
	}
	ref := map[string]any{"name": name, "port": 80, "weight": weight}
	if c.often(2) {
		ref["filters"] = []any{c.headerFilter("RequestHeaderModifier", "requestHeaderModifier")}
	}
	return ref
}

var paths = []string{"/", "/a", "/a/", "/a/b", "/ab", "/a/b/c", "/A", "/x-y_z.~", "/a%20b", "/%C3%BC", "/a+b", "/a;v=1", "/a:b@c", "/$&'()*,="}

// patterns are regular expressions of RE2, some of which other dialects read
// differently.
var patterns = []string{
	"/a.*", "/(a|b)/?", "/[a-c]+", "/a/[^/]+", "/.*b", "(?i)/AB?", "/a{1,2}", `/\w+`, `/\d*`, "/.+/c", "/a(/b)?(/c)?",
	`/a\+b`, "/(?:a|ab)(?:b|)", `/[[:alpha:]]+`, "(/a)+", "/$", "^/a$", `\Q/a+b\E`, "/a.b", `/\x61`, `[\/]a`, "/a*?b",
}

func (c chance) match() (match map[string]any, prefix bool) {
	match = map[string]any{}
	kind := one(c, "Exact", "PathPrefix", "PathPrefix", "RegularExpression", "")
	switch kind {
	case "Exact", "PathPrefix":
		match["path"] = map[string]any{"type": kind, "value": one(c, paths...)}
	case "RegularExpression":
		match["path"] = map[string]any{"type": kind, "value": c.pathPattern()}
	}
	if c.often(2) {
		match["method"] = one(c, "GET", "POST", "PUT", "OPTIONS")
	}
	if c.often(3) {
		match["headers"] = []any{c.valueMatch("X-A", "x-b", "Cookie")}
	}
	if c.often(2) {
		match["queryParams"] = []any{c.valueMatch("q", "Q", "a b", "x[]")}
	}
	return match, kind == "PathPrefix" || kind == ""
}

var values = []string{"1", "one", "one two", "one,two", "a=b", "ONE", "%20", `"quoted"`, "a;b"}

func (c chance) valueMatch(names ...string) map[string]any {
	m := map[string]any{"name": one(c, names...), "value": one(c, values...)}
	if c.often(3) {
		m["type"], m["value"] = "RegularExpression", one(c, "o.e", "[0-9]+", ".*", "one|two", "(?i)one", "^one$", `a\b.b`, ".+,.+", c.pattern("one,2 =\"", 3))
	}
	return m
}

// pathPattern is a regular expression for paths: one of those that are kept, or one
// that is made.
func (c chance) pathPattern() string {
	if c.often(5) {
		return one(c, patterns...)
	}
	return "/" + c.pattern("ab/.%C", 3)
}

// pattern makes an expression of RE2 that speaks of some characters, so deep.
func (c chance) pattern(of string, depth int) string {
	letter := func() string { return regexp.QuoteMeta(string(of[c.IntN(len(of))])) }
	if depth == 0 {
		return one(c, letter(), letter(), ".", `\w`, `\D`, "["+letter()+"-~]", "[^"+letter()+"]", `\x{e9}`, `\pL`)
	}
	deeper := func() string { return c.pattern(of, depth-1) }
	switch c.IntN(8) {
	case 0:
		return "(?:" + deeper() + "|" + deeper() + ")"
	case 1:
		return "(" + deeper() + ")" + one(c, "*", "+", "?", "{0,2}", "{2}", "*?", "+?")
	case 2:
		return one(c, "(?i:", "(?s:", "(?U:", "(?m:") + deeper() + ")"
	case 3:
		// Anchors of the end in the middle are refused on Envoy (docs/envoy.md).
		return one(c, "^", `\b`, `\B`, `\A`, "") + deeper() + one(c, "", `\b`)
	default:
		return deeper() + deeper()
	}
}

func (c chance) grpcRoute() object {
	match := map[string]any{}
	method := map[string]any{"type": one(c, "Exact", "RegularExpression")}
	method["service"] = one(c, "pkg.S", "pkg.T")
	if c.often(5) {
		method["method"] = one(c, "M", "N")
	}
	match["method"] = method
	return named("GRPCRoute", "v1", "g", map[string]any{
		"parentRefs": []any{map[string]any{"name": "gw"}},
		"hostnames":  []any{one(c, "a.example", "b.example")},
		"rules":      []any{map[string]any{"matches": []any{match}, "backendRefs": c.backendRefs()}},
	})
}
