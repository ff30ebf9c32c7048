package order

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

func TestHostnamesMostSpecificFirst(t *testing.T) {
	names := []string{"*", "*.org", "b.example.org", "*.example.org", "a.example.org", "*.a.example.org"}
	slices.SortFunc(names, CompareHostnames)
	want := "a.example.org b.example.org *.a.example.org *.example.org *.org *"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMatchHostname(t *testing.T) {
	for _, c := range []struct {
		hostname, host string
		want           bool
	}{
		{"*", "a.example", true},
		{"*", "", true},
		{"a.example", "a.example", true},
		{"a.example", "b.a.example", false},
		{"*.example", "a.example", true},
		{"*.example", "b.a.example", true},
		{"*.example", "example", false},
		{"*.example", ".example", false},
		{"*.example", "aexample", false},
	} {
		if got := MatchHostname(c.hostname, c.host); got != c.want {
			t.Errorf("MatchHostname(%q, %q) = %v", c.hostname, c.host, got)
		}
	}
}

func TestChainHoldsWhatCoversAHost(t *testing.T) {
	for host, want := range map[string]string{
		"a.b.c": "a.b.c *.b.c *.c *",
		"a":     "a *",
		"":      "*",
	} {
		got := slices.Collect(Chain(host))
		if strings.Join(got, " ") != want {
			t.Errorf("Chain(%q) = %q, want %q", host, got, want)
		}
		for _, hostname := range got {
			if !MatchHostname(hostname, host) {
				t.Errorf("%q is in the chain of %q, and does not cover it", hostname, host)
			}
		}
	}
}

// TestChoose has the cases of the conformance test
// HTTPRouteHTTPSListenerDetectMisdirectedRequests.
func TestChoose(t *testing.T) {
	https := listeners(ir.HTTPS, "*", "second.org", "*.wildcard.org", "fourth.wildcard.org")
	closed := listeners(ir.HTTPS, "second.org")
	refused, refusedTLS := listeners(ir.HTTP, "a.org", "*.org"), listeners(ir.HTTPS, "a.org", "*.org")
	refused[0].Refused, refusedTLS[0].Refused = "a reason", "a reason"
	for _, c := range []struct {
		among     []*ir.Listener
		sni, host string
		listener  string
		want      Verdict
	}{
		{https, "example.org", "example.org", "*", Served},
		{https, "example.org", "second.org", "*", Misdirected},
		{https, "second.org", "second.org", "second.org", Served},
		{https, "second.org", "unknown.org", "second.org", Misdirected},
		{https, "third.wildcard.org", "fifth.wildcard.org", "*.wildcard.org", Served},
		{https, "third.wildcard.org", "fourth.wildcard.org", "*.wildcard.org", Misdirected},
		{https, "fourth.wildcard.org", "fifth.wildcard.org", "fourth.wildcard.org", Misdirected},
		{https, "", "second.org", "*", Misdirected},
		{closed, "second.org", "unknown.org", "second.org", NoListener},
		{closed, "", "second.org", "", NoListener},
		{listeners(ir.HTTP, "a.org", "*.org"), "", "a.org", "a.org", Served},
		{listeners(ir.HTTP, "a.org", "*.org"), "", "b.org", "*.org", Served},
		{listeners(ir.HTTP, "a.org", "*.org"), "", "b.net", "", NoListener},
		{refused, "", "a.org", "a.org", Refused},
		{refused, "", "b.org", "*.org", Served},
		{refusedTLS, "a.org", "a.org", "a.org", Refused},
		{refusedTLS, "b.org", "a.org", "*.org", Misdirected},
		{refusedTLS, "b.org", "c.org", "*.org", Served},
	} {
		got, verdict := Choose(c.among, c.sni, c.host)
		name := ""
		if got != nil {
			name = got.Hostname
		}
		if name != c.listener || verdict != c.want {
			t.Errorf("Choose(sni %q, host %q) = %q, %v; want %q, %v", c.sni, c.host, name, verdict, c.listener, c.want)
		}
	}
}

func listeners(protocol ir.Protocol, hostnames ...string) []*ir.Listener {
	var all []*ir.Listener
	for _, h := range hostnames {
		all = append(all, &ir.Listener{Protocol: protocol, Hostname: h})
	}
	return all
}

func entry(name string, created int64, m ir.Match) Entry {
	return Entry{
		Route: &ir.Route{Origin: ir.Object{Kind: "HTTPRoute", Namespace: "n", Name: name}, Created: time.Unix(created, 0)},
		Rule:  &ir.Rule{Matches: []ir.Match{m}},
	}
}

func match(kind ir.MatchKind, value string) ir.Match {
	return ir.Match{Path: ir.PathMatch{Kind: kind, Value: value}}
}

func TestCompareWithinARoute(t *testing.T) {
	route := &ir.Route{}
	twice := []ir.Match{match(ir.Prefix, "/a"), match(ir.Prefix, "/a")}
	first, second := &ir.Rule{Matches: twice}, &ir.Rule{Matches: twice}
	ranked := []Entry{
		{Route: route, Rule: first, RuleIndex: 0, Index: 0},
		{Route: route, Rule: first, RuleIndex: 0, Index: 1},
		{Route: route, Rule: second, RuleIndex: 1, Index: 0},
		{Route: route, Rule: second, RuleIndex: 1, Index: 1},
	}
	for i := range ranked {
		for j := range ranked {
			if got := Compare(ranked[i], ranked[j]); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("Compare(%d, %d) = %d", i, j, got)
			}
		}
	}
}

// TestCompare lists entries in winning order: each wins over all that follow.
func TestCompare(t *testing.T) {
	value := []ir.ValueMatch{{Name: "a", Kind: ir.Exact, Value: "1"}}
	withMethod := match(ir.Prefix, "/a")
	withMethod.Method = "GET"
	withHeader := match(ir.Prefix, "/a")
	withHeader.Headers = value
	withQuery := match(ir.Prefix, "/a")
	withQuery.Query = value
	ranked := []Entry{
		entry("z", 9, match(ir.Exact, "/")),
		entry("z", 9, match(ir.Regex, "/abcd.*")),
		entry("a", 1, match(ir.Regex, "/.*")),
		entry("z", 9, match(ir.Prefix, "/a/b")),
		entry("z", 9, match(ir.Prefix, "/%7Ea")),
		entry("z", 9, withMethod),
		entry("z", 9, withHeader),
		entry("z", 9, withQuery),
		entry("b", 1, match(ir.Prefix, "/a")),
		entry("a", 2, match(ir.Prefix, "/a")),
		entry("b", 2, match(ir.Prefix, "/a")),
		entry("a", 1, match(ir.Prefix, "/")),
	}
	for i := range ranked {
		for j := range ranked {
			if got := Compare(ranked[i], ranked[j]); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("Compare(%d, %d) = %d", i, j, got)
			}
		}
	}
}

func TestEvaluate(t *testing.T) {
	all := ir.Match{
		Path:    ir.PathMatch{Kind: ir.Prefix, Value: "/a"},
		Method:  "GET",
		Headers: []ir.ValueMatch{{Name: "x-env", Kind: ir.Exact, Value: "a,b"}},
		Query:   []ir.ValueMatch{{Name: "q", Kind: ir.Regex, Value: "[0-9 ]+"}},
	}
	good := Request{
		Method: "GET", Path: "/a/b", Query: "q=1+%32&q=x",
		Headers: []ir.Header{{Name: "X-Env", Value: "a"}, {Name: "x-ENV", Value: "b"}},
	}
	if matched, why := Evaluate(&all, good); !matched {
		t.Fatalf("does not match: %s", why)
	}
	for _, c := range []struct {
		why  string
		edit func(*Request)
	}{
		{"path:", func(r *Request) { r.Path = "/ab" }},
		{"method:", func(r *Request) { r.Method = "POST" }},
		{`header "x-env": not in`, func(r *Request) { r.Headers = nil }},
		{`header "x-env": "a"`, func(r *Request) { r.Headers = r.Headers[:1] }},
		{`query parameter "q": not in`, func(r *Request) { r.Query = "Q=1" }},
		{`query parameter "q": "x"`, func(r *Request) { r.Query = "q=x&q=1" }},
	} {
		r := good
		c.edit(&r)
		if matched, why := Evaluate(&all, r); matched || !strings.HasPrefix(why, c.why) {
			t.Errorf("got %v, %q; want a refusal that begins with %q", matched, why, c.why)
		}
	}
}

func TestMatchPath(t *testing.T) {
	for _, c := range []struct {
		kind        ir.MatchKind
		value, path string
		want        bool
	}{
		{ir.Exact, "/a", "/a", true},
		{ir.Exact, "/a", "/a/", false},
		{ir.Exact, "/%7ea", "/~a", true},
		{ir.Prefix, "/", "/a", true},
		{ir.Prefix, "/", "*", false},
		{ir.Prefix, "/a", "/a", true},
		{ir.Prefix, "/a", "/a/", true},
		{ir.Prefix, "/a", "/ab", false},
		{ir.Prefix, "/a/", "/a/b", true},
		{ir.Regex, "/a|/b", "/b", true},
		{ir.Regex, "/a|/b", "/bc", false},
		{ir.Regex, "/a.", "/ab", true},
		{ir.Regex, "^/a$", "/a", true},
		{ir.Regex, "/A", "/a", false},
		// Broken ones keep what they surely meant.
		{ir.Regex, "/admin/(.*", "/admin/x", true},
		{ir.Regex, "/admin/(.*", "/public", false},
		{ir.Regex, "a)|(b", "/a", false},
		{ir.Regex, "/(", "/a", false},
		{ir.Regex, "/ab?(", "/a", true},
	} {
		if got := MatchPath(ir.PathMatch{Kind: c.kind, Value: c.value}, c.path); got != c.want {
			t.Errorf("%s %q with %q: %v, want %v", c.kind, c.value, c.path, got, c.want)
		}
	}
}

func TestWalkTriesLessSpecificHostnamesLast(t *testing.T) {
	wide, narrow := entry("wide", 1, match(ir.Exact, "/a")), entry("narrow", 2, match(ir.Prefix, "/"))
	l := &Listener{Hosts: []*Host{
		{Hostname: "a.example", Entries: []Entry{narrow}},
		{Hostname: "*.example", Entries: []Entry{wide}},
	}}
	for _, c := range []struct{ host, path, want string }{
		{"a.example", "/a", "narrow"},
		{"b.example", "/a", "wide"},
		{"b.example", "/b", ""},
		{"other", "/a", ""},
	} {
		got, ok := Winner(l, Request{Host: c.host, Path: c.path})
		if ok != (c.want != "") || ok && got.Entry.Route.Origin.Name != c.want {
			t.Errorf("%s%s is served by %v, want %q", c.host, c.path, got.Entry.Route, c.want)
		}
	}
}
