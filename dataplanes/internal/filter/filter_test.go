package filter

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// request is a request to http://a.example:8080.
func request(method, path string, fields ...exchange.Field) *exchange.Request {
	path, query, hasQuery := strings.Cut(path, "?")
	return &exchange.Request{
		Method: method, Scheme: "http", Authority: "a.example:8080", Host: "a.example", Port: 8080,
		Path: path, Query: query, HasQuery: hasQuery, Header: fields, Proto: 1,
	}
}

func compiled(t testing.TB, filters ...ir.Filter) *Chain {
	t.Helper()
	chain, err := Compile(filters)
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

// run sends a request down a chain, and what it answers, or a 200, back up.
func run(t testing.TB, chain *Chain, x *Exchange) *exchange.Response {
	t.Helper()
	answer := chain.Request(context.Background(), x)
	if answer == nil {
		answer = &exchange.Response{Status: 200}
	}
	chain.Response(x, answer)
	return answer
}

func text(h exchange.Header) string {
	var all []string
	for _, f := range h {
		all = append(all, f.Name+": "+f.Value)
	}
	return strings.Join(all, "\n")
}

func TestHeaderEditsRemoveThenSetThenAdd(t *testing.T) {
	edit := &ir.HeaderEdit{
		Remove: []string{"x-GONE", "x-both"},
		Set:    []ir.Header{{Name: "X-Set", Value: "new"}, {Name: "x-both", Value: "set"}},
		Add:    []ir.Header{{Name: "X-Set", Value: "more"}, {Name: "X-Add", Value: "1"}},
	}
	came := func() exchange.Header {
		return exchange.Header{{Name: "X-Gone", Value: "1"}, {Name: "x-set", Value: "old"}, {Name: "X-SET", Value: "older"}, {Name: "X-Both", Value: "old"}, {Name: "Kept", Value: "1"}}
	}
	want := "X-Set: new\nKept: 1\nx-both: set\nX-Set: more\nX-Add: 1"
	r := request("GET", "/", came()...)
	x := Start(r, "/", 0)
	compiled(t, ir.Filter{RequestHeaders: edit}).Request(t.Context(), &x)
	if got := text(r.Header); got != want {
		t.Errorf("request:\n%s\nwant:\n%s", got, want)
	}
	answer := &exchange.Response{Header: came()}
	compiled(t, ir.Filter{ResponseHeaders: edit}).Response(&x, answer)
	if got := text(answer.Header); got != want {
		t.Errorf("response:\n%s\nwant:\n%s", got, want)
	}
}

func TestResponsesRunUpwards(t *testing.T) {
	add := func(value string) ir.Filter {
		return ir.Filter{ResponseHeaders: &ir.HeaderEdit{Add: []ir.Header{{Name: "x", Value: value}}}}
	}
	rule, backend := compiled(t, add("1"), add("2")), compiled(t, add("3"))
	x, answer := Start(request("GET", "/"), "/", 0), &exchange.Response{}
	backend.Response(&x, answer)
	rule.Response(&x, answer)
	if got := text(answer.Header); got != "x: 3\nx: 2\nx: 1" {
		t.Errorf("got %q", got)
	}
}

func TestCompileRefuses(t *testing.T) {
	str := func(s string) *string { return &s }
	set := func(name, value string) ir.Filter {
		return ir.Filter{RequestHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: name, Value: value}}}}
	}
	for field, f := range map[string]ir.Filter{
		"requestHeaders.set":    set("content-length", "1"),
		"responseHeaders.add":   {ResponseHeaders: &ir.HeaderEdit{Add: []ir.Header{{Name: "Transfer-Encoding", Value: "chunked"}}}},
		"requestHeaders.remove": {RequestHeaders: &ir.HeaderEdit{Remove: []string{"Host"}}},
		"holds control":         set("x", "a\r\nHost: b"),
		"not a header name":     set("x y", "a"),
		"redirect.scheme":       {Redirect: &ir.Redirect{Scheme: "gopher"}},
		"redirect.hostname":     {Redirect: &ir.Redirect{Hostname: "a/b"}},
		"redirect.status":       {Redirect: &ir.Redirect{Status: 200}},
		"redirect.path.full":    {Redirect: &ir.Redirect{Path: &ir.PathEdit{Full: str("/a\nb")}}},
		"rewrite.path.prefix":   {Rewrite: &ir.Rewrite{Path: &ir.PathEdit{Prefix: str("/%2f")}}},
		"rewrite.path: neither": {Rewrite: &ir.Rewrite{Path: &ir.PathEdit{}}},
		"rewrite.hostname":      {Rewrite: &ir.Rewrite{Hostname: "a b"}},
		"mirror":                {Mirror: &ir.Mirror{}},
		"cors.allowOrigins":     {CORS: &ir.CORS{AllowOrigins: []string{"ftp://a"}}},
		"cors: ":                {CORS: &ir.CORS{AllowMethods: []string{"GET\n"}}},
		"externalAuth.path":     {ExternalAuth: &ir.ExternalAuth{PathPrefix: "/%zz"}},
		"type":                  {},
	} {
		_, err := Compile([]ir.Filter{set("x", "y"), f})
		if err == nil || !strings.HasPrefix(err.Error(), "filters[1].") || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: the error is %v", field, err)
		}
	}
}

// TestPathEdits has the table of HTTPPathModifier.replacePrefixMatch, and what
// it leaves open.
func TestPathEdits(t *testing.T) {
	for _, c := range []struct{ path, prefix, replace, want string }{
		{"/foo/bar", "/foo", "/xyz", "/xyz/bar"},
		{"/foo/bar", "/foo", "/xyz/", "/xyz/bar"},
		{"/foo", "/foo", "/xyz", "/xyz"},
		{"/foo/", "/foo", "/xyz", "/xyz/"},
		{"/foo/bar", "/foo", "", "/bar"},
		{"/foo/", "/foo", "", "/"},
		{"/foo", "/foo", "", "/"},
		{"/foo/", "/foo", "/", "/"},
		{"/foo", "/foo", "/", "/"},
		{"/foo/bar", "/", "/xyz", "/xyz/foo/bar"},
		{"/", "/", "/xyz", "/xyz/"},
		{"/foo", "/foo", "xyz", "/xyz"},
		{"/foo/bar", "/foo", "/a/../b%2e", "/b./bar"},
		{"/foo", "", "/xyz", "/foo"},
	} {
		chain := compiled(t, ir.Filter{Rewrite: &ir.Rewrite{Path: &ir.PathEdit{Prefix: &c.replace}}})
		r := request("GET", c.path)
		x := Start(r, c.prefix, 0)
		if chain.Request(t.Context(), &x); r.Path != c.want {
			t.Errorf("%q with prefix %q replaced by %q is %q, want %q", c.path, c.prefix, c.replace, r.Path, c.want)
		}
	}
}

func TestRewriteHostAndFullPath(t *testing.T) {
	full := "/all"
	rule := compiled(t, ir.Filter{Rewrite: &ir.Rewrite{Hostname: "b.example", Path: &ir.PathEdit{Full: &full}}})
	r := request("GET", "/a/b?c=d")
	x := Start(r, "/a", 0)
	rule.Request(t.Context(), &x)
	if r.Authority != "b.example" || r.Host != "b.example" || r.Path != "/all" || r.Query != "c=d" {
		t.Errorf("got %+v", r)
	}
	// A backend's rewrite takes the place of the rule's.
	prefix := "/x"
	compiled(t, ir.Filter{Rewrite: &ir.Rewrite{Path: &ir.PathEdit{Prefix: &prefix}}}).Request(t.Context(), &x)
	if r.Path != "/x/b" {
		t.Errorf("the backend is asked for %q", r.Path)
	}
}

// TestRedirect has the cases of the conformance tests HTTPRouteRedirect*.
func TestRedirect(t *testing.T) {
	str := func(s string) *string { return &s }
	full, prefix := &ir.PathEdit{Full: str("/full")}, &ir.PathEdit{Prefix: str("/new")}
	for _, c := range []struct {
		name   string
		filter ir.Redirect
		scheme string
		port   uint16
		path   string
		want   string
	}{
		{"host", ir.Redirect{Hostname: "b.org"}, "http", 80, "/a", "http://b.org/a"},
		{"host, other listener port", ir.Redirect{Hostname: "b.org"}, "http", 8080, "/a", "http://b.org:8080/a"},
		{"host, 80 with https", ir.Redirect{Hostname: "b.org"}, "https", 80, "/a", "https://b.org:80/a"},
		{"https listener", ir.Redirect{Hostname: "b.org"}, "https", 443, "/a", "https://b.org/a"},
		{"port", ir.Redirect{Port: 8083}, "http", 80, "/a", "http://a.example:8083/a"},
		{"port 80 on http", ir.Redirect{Port: 80}, "http", 8080, "/a", "http://a.example/a"},
		{"port 443 on http", ir.Redirect{Port: 443}, "http", 8080, "/a", "http://a.example:443/a"},
		{"scheme", ir.Redirect{Scheme: "https"}, "http", 8080, "/a", "https://a.example/a"},
		{"scheme down", ir.Redirect{Scheme: "http"}, "https", 443, "/a", "http://a.example/a"},
		{"scheme and port", ir.Redirect{Scheme: "https", Port: 8443}, "http", 80, "/a", "https://a.example:8443/a"},
		{"scheme and its port", ir.Redirect{Scheme: "https", Port: 443}, "http", 80, "/a", "https://a.example/a"},
		{"scheme and the other's port", ir.Redirect{Scheme: "http", Port: 443}, "https", 443, "/a", "http://a.example:443/a"},
		{"full path keeps the query", ir.Redirect{Path: full}, "http", 80, "/a?b=c", "http://a.example/full?b=c"},
		{"prefix", ir.Redirect{Path: prefix}, "http", 80, "/a/b?", "http://a.example/new/b?"},
		{"query with bad bytes", ir.Redirect{Path: prefix}, "http", 80, "/a?x=\r\n\"é", "http://a.example/new?x=%0D%0A%22%C3%A9"},
	} {
		chain := compiled(t, ir.Filter{Redirect: &c.filter})
		r := request("GET", c.path)
		r.Scheme, r.Port = c.scheme, c.port
		x := Start(r, "/a", 0)
		answer := run(t, chain, &x)
		if got, _ := answer.Header.Get("Location"); got != c.want || answer.Status != 302 {
			t.Errorf("%s: %d %q, want %q", c.name, answer.Status, got, c.want)
		}
	}
}

func TestRedirectOfOddHosts(t *testing.T) {
	for host, want := range map[string]string{
		"":              "/a",
		"::1":           "http://[::1]:8080/a",
		"[::1]":         "http://[::1]:8080/a",
		"a@b.example":   "",
		"a.example/x":   "",
		"a.example\r\n": "",
		"[::1]x]":       "",
	} {
		r := request("GET", "/a")
		r.Host = host
		x := Start(r, "/", 0)
		answer := run(t, compiled(t, ir.Filter{Redirect: &ir.Redirect{Status: 301}}), &x)
		if got, _ := answer.Header.Get("Location"); got != want || (want == "") != (answer.Status == 400) {
			t.Errorf("host %q: %d %q, want %q", host, answer.Status, got, want)
		}
	}
}

func FuzzRedirectLocation(f *testing.F) {
	f.Add("a.example", "/a/b", "q=1", "/new", uint16(8080), true)
	f.Add("[::1]", "/a", "\r\nSet-Cookie: a=b", "", uint16(80), false)
	f.Fuzz(func(t *testing.T, host, path, query, replace string, port uint16, full bool) {
		edit := &ir.PathEdit{Prefix: &replace}
		if full {
			edit = &ir.PathEdit{Full: &replace}
		}
		chain, err := Compile([]ir.Filter{{Redirect: &ir.Redirect{Path: edit}}})
		if err != nil {
			return
		}
		r := &exchange.Request{Scheme: "https", Host: host, Path: "/" + path, Query: query, HasQuery: true, Port: port}
		x := Start(r, "/", 0)
		location, found := run(t, chain, &x).Header.Get("Location")
		if !found {
			return
		}
		if strings.ContainsAny(location, "\r\n\x00 ") {
			t.Fatalf("Location is %q", location)
		}
		parsed, err := url.Parse(location)
		if err != nil && !strings.Contains(location, "%") {
			t.Fatalf("Location %q: %v", location, err)
		}
		if err == nil && host != "" && (parsed.Scheme != "https" || parsed.Hostname() != strings.Trim(host, "[]")) {
			t.Fatalf("Location %q leads to %q, asked for %q", location, parsed.Host, host)
		}
	})
}

func TestMirrorsFollowTheirShare(t *testing.T) {
	backend := func(name string) ir.BackendKey {
		return ir.BackendKey{EndpointsKey: ir.EndpointsKey{Service: name}}
	}
	chain := compiled(t,
		ir.Filter{Mirror: &ir.Mirror{Backend: backend("all"), Numerator: 1, Denominator: 1}},
		ir.Filter{Mirror: &ir.Mirror{Backend: backend("some"), Numerator: 20, Denominator: 100}},
		ir.Filter{Mirror: &ir.Mirror{Backend: backend("none"), Numerator: 0, Denominator: 100}},
	)
	const draws = 20000
	counts := map[string]int{}
	for i := range uint64(draws) {
		x := Start(request("GET", "/"), "/", i)
		chain.Request(t.Context(), &x)
		for _, m := range x.Mirrors {
			counts[m.Service]++
		}
	}
	if some := counts["some"]; counts["all"] != draws || counts["none"] != 0 || some < draws/6 || some > draws/4 {
		t.Errorf("of %d: %v", draws, counts)
	}
}

func TestAnswersSpeakGRPC(t *testing.T) {
	plain := Answer(404, "No route.", false)
	if plain.Status != 404 || plain.Body == nil || plain.Length != int64(len("No route.\n")) {
		t.Errorf("got %+v", plain)
	}
	for status, want := range map[int]string{400: "13", 401: "16", 403: "7", 404: "12", 429: "14", 500: "2", 502: "14", 503: "14", 504: "14"} {
		answer := Answer(status, "a%b\n", true)
		code, _ := answer.Header.Get("grpc-status")
		message, _ := answer.Header.Get("grpc-message")
		if answer.Status != 200 || answer.Body != nil || code != want || message != "a%25b%0A" {
			t.Errorf("%d: got %+v", status, answer)
		}
	}
}

// BenchmarkOrdinary is the ordinary path: one header modifier.
func BenchmarkOrdinary(b *testing.B) {
	chain := compiled(b, ir.Filter{RequestHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-A", Value: "1"}}, Remove: []string{"X-B"}}})
	came := exchange.Header{{Name: "User-Agent", Value: "curl"}, {Name: "Accept", Value: "*/*"}, {Name: "X-B", Value: "1"}}
	buffer := make(exchange.Header, 0, 16)
	b.ReportAllocs()
	for b.Loop() {
		r := exchange.Request{Method: "GET", Path: "/", Header: append(buffer, came...)}
		x := Start(&r, "/", 1)
		if chain.Request(b.Context(), &x) != nil {
			b.Fatal("answered")
		}
	}
}

func ExampleGRPCStatus() {
	fmt.Println(GRPCStatus(404))
	// Output: 12
}
