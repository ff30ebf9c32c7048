package filter

import (
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

const (
	allowOrigin      = "Access-Control-Allow-Origin"
	allowCredentials = "Access-Control-Allow-Credentials"
	allowMethods     = "Access-Control-Allow-Methods"
	allowHeaders     = "Access-Control-Allow-Headers"
	exposeHeaders    = "Access-Control-Expose-Headers"
	maxAge           = "Access-Control-Max-Age"
)

func preflight(origin, method, headers string) *exchange.Request {
	r := request("OPTIONS", "/", exchange.Field{Name: "Origin", Value: origin}, exchange.Field{Name: "access-control-request-method", Value: method})
	if headers != "" {
		r.Header.Add("access-control-request-headers", headers)
	}
	return r
}

var (
	listed = &ir.CORS{
		AllowOrigins: []string{"https://www.foo.com", "https://*.bar.com", "http://*:81"}, AllowCredentials: true, MaxAge: 3600,
		AllowMethods: []string{"GET", "OPTIONS"}, AllowHeaders: []string{"x-header-1", "x-header-2"}, ExposeHeaders: []string{"x-header-3", "x-header-4"},
	}
	open    = &ir.CORS{AllowOrigins: []string{"*"}, AllowMethods: []string{"*"}, AllowHeaders: []string{"*"}, ExposeHeaders: []string{"*"}, MaxAge: 5}
	trusted = &ir.CORS{AllowOrigins: []string{"*"}, AllowMethods: []string{"*"}, AllowHeaders: []string{"*"}, ExposeHeaders: []string{"*"}, AllowCredentials: true, MaxAge: 5}
)

// TestPreflight has the cases of the conformance test HTTPRouteCORS. A header
// that a case does not name must not be there.
func TestPreflight(t *testing.T) {
	granted := map[string]string{
		allowMethods: "GET, OPTIONS", allowHeaders: "x-header-1, x-header-2", exposeHeaders: "x-header-3, x-header-4",
		maxAge: "3600", allowCredentials: "true",
	}
	from := func(origin string) map[string]string {
		want := map[string]string{allowOrigin: origin}
		for k, v := range granted {
			want[k] = v
		}
		return want
	}
	for _, c := range []struct {
		name    string
		filter  *ir.CORS
		request *exchange.Request
		want    map[string]string
	}{
		{"exact", listed, preflight("https://www.foo.com", "GET", "x-header-1"), from("https://www.foo.com")},
		{"exact with its port", listed, preflight("https://www.foo.com:443", "GET", ""), from("https://www.foo.com:443")},
		{"wildcard", listed, preflight("https://www.bar.com", "GET", ""), from("https://www.bar.com")},
		{"wildcard, two labels", listed, preflight("https://x.www.bar.com", "GET", ""), from("https://x.www.bar.com")},
		{"any host of a port", listed, preflight("http://any:81", "GET", ""), from("http://any:81")},
		{"any host of another port", listed, preflight("http://any:82", "GET", ""), nil},
		{"wildcard needs a label", listed, preflight("https://bar.com", "GET", ""), nil},
		{"another scheme", listed, preflight("http://www.foo.com", "GET", ""), nil},
		{"not allowed", listed, preflight("https://foobar.com", "GET", ""), nil},
		{"a suffix that is none", listed, preflight("https://www.foo.com.evil.org", "GET", ""), nil},
		{"null", listed, preflight("null", "GET", ""), nil},
		{"a wildcard as origin", listed, preflight("https://*.bar.com", "GET", ""), nil},
		{"open", open, preflight("https://a.org:12345", "PUT", "x-a"), map[string]string{
			allowOrigin: "*", allowMethods: "*", allowHeaders: "*", exposeHeaders: "*", maxAge: "5",
		}},
		{"open with credentials", trusted, preflight("https://a.org", "PUT", "x-a, x-b"), map[string]string{
			allowOrigin: "https://a.org", allowMethods: "PUT", allowHeaders: "x-a, x-b", allowCredentials: "true", maxAge: "5",
		}},
		{"open with credentials, no headers asked", trusted, preflight("https://a.org", "PUT", ""), map[string]string{
			allowOrigin: "https://a.org", allowMethods: "PUT", allowCredentials: "true", maxAge: "5",
		}},
	} {
		x := Start(c.request, "/", 0)
		chain := compiled(t, ir.Filter{CORS: c.filter})
		answer := chain.Request(t.Context(), &x)
		if answer == nil {
			t.Fatalf("%s: goes on to the backend", c.name)
		}
		chain.Response(&x, answer)
		for _, name := range []string{allowOrigin, allowMethods, allowHeaders, allowCredentials, exposeHeaders, maxAge} {
			if got, _ := answer.Header.Joined(name); got != c.want[name] || answer.Status != 200 {
				t.Errorf("%s: %s is %q, want %q", c.name, name, got, c.want[name])
			}
		}
	}
}

func TestCORSMarksResponses(t *testing.T) {
	for _, c := range []struct {
		name, origin string
		filter       *ir.CORS
		want         string
	}{
		{"allowed", "https://www.foo.com", listed, "https://www.foo.com"},
		{"not allowed", "https://foobar.com", listed, ""},
		{"any", "https://a.org", open, "*"},
	} {
		x := Start(request("GET", "/", exchange.Field{Name: "Origin", Value: c.origin}), "/", 0)
		chain := compiled(t, ir.Filter{CORS: c.filter})
		if answer := chain.Request(t.Context(), &x); answer != nil {
			t.Fatalf("%s: answered with %d", c.name, answer.Status)
		}
		answer := &exchange.Response{Status: 200, Header: exchange.Header{{Name: allowOrigin, Value: "https://backend.says"}, {Name: "vary", Value: "Accept"}}}
		chain.Response(&x, answer)
		if got, _ := answer.Header.Joined(allowOrigin); got != c.want {
			t.Errorf("%s: the origin is %q, want %q", c.name, got, c.want)
		}
		if got, _ := answer.Header.Joined("Vary"); (got == "Accept, Origin") != (c.filter == listed) {
			t.Errorf("%s: Vary is %q", c.name, got)
		}
	}
}

func TestPlainOPTIONSReachesTheBackend(t *testing.T) {
	x := Start(request("OPTIONS", "/", exchange.Field{Name: "Origin", Value: "https://www.foo.com"}), "/", 0)
	if answer := compiled(t, ir.Filter{CORS: listed}).Request(t.Context(), &x); answer != nil {
		t.Errorf("answered with %d", answer.Status)
	}
}

// TestPreflightPassesBeforeAuthorization: a preflight request cannot carry
// credentials.
func TestPreflightPassesBeforeAuthorization(t *testing.T) {
	chain := compiled(t, ir.Filter{ExternalAuth: &ir.ExternalAuth{}}, ir.Filter{CORS: listed})
	x := Start(preflight("https://www.foo.com", "GET", ""), "/", 0)
	if answer := run(t, chain, &x); answer.Status != 200 {
		t.Errorf("answered with %d", answer.Status)
	}
	// And a refusal is marked, so that a script can read it.
	x = Start(request("GET", "/", exchange.Field{Name: "Origin", Value: "https://www.foo.com"}), "/", 0)
	answer := run(t, chain, &x)
	if got, _ := answer.Header.Get(allowOrigin); answer.Status != 403 || got != "https://www.foo.com" {
		t.Errorf("got %d, %q", answer.Status, got)
	}
}
