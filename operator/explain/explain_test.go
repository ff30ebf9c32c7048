package explain

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

var update = flag.Bool("update", false, "write the golden files")

var owner = ir.Object{Kind: "Gateway", Namespace: "default", Name: "demo"}

func listener(section string, port uint16, protocol ir.Protocol, hostname string) *ir.Listener {
	return &ir.Listener{Key: ir.ListenerKey{Owner: owner, Section: section}, Port: port, Protocol: protocol, Hostname: hostname}
}

func backend(service string, weight int) ir.BackendUse {
	key := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Namespace: "default", Service: service, Port: 80}, Protocol: ir.BackendHTTP1}
	return ir.BackendUse{Backend: &key, Weight: weight}
}

func prefix(value string) ir.PathMatch { return ir.PathMatch{Kind: ir.Prefix, Value: value} }

// demo is a unit with one of everything that can win or lose.
func demo() *ir.Unit {
	http, https := listener("http", 80, ir.HTTP, "*"), listener("https", 443, ir.HTTPS, "*.example.com")
	isolated := listener("isolated", 80, ir.HTTP, "only.example.com")
	closed, closedTLS := listener("closed", 80, ir.HTTP, "closed.example.com"), listener("closed-tls", 443, ir.TLS, "closed.example.com")
	closed.Refused, closedTLS.Refused = "spec.listeners[0]: a selector that is none", "spec.listeners[1]: there is no certificate to serve with"
	slash := ""
	shop := &ir.Route{
		Origin: ir.Object{Kind: "HTTPRoute", Namespace: "default", Name: "shop"}, Kind: ir.HTTPRoute, Created: time.Unix(100, 0),
		Attachments: []ir.Attachment{
			{Listener: http.Key, Hostnames: []string{"shop.example.com"}}, {Listener: https.Key, Hostnames: []string{"shop.example.com"}},
		},
		Rules: []*ir.Rule{
			{Matches: []ir.Match{{Path: prefix("/")}}, Backends: []ir.BackendUse{backend("shop", 90), backend("canary", 10)}},
			{
				Origin:   ir.Origin{Section: "testers"},
				Matches:  []ir.Match{{Path: prefix("/"), Headers: []ir.ValueMatch{{Name: "x-version", Kind: ir.Exact, Value: "beta"}}}},
				Backends: []ir.BackendUse{backend("canary", 1)},
				Filters:  []ir.Filter{{RequestHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-Beta", Value: "1"}}}}},
			},
			{
				Matches: []ir.Match{{Path: prefix("/old")}},
				Filters: []ir.Filter{{Redirect: &ir.Redirect{Scheme: "https", Status: 301, Path: &ir.PathEdit{Prefix: &slash}}}},
			},
			{Matches: []ir.Match{{Path: prefix("/admin"), Method: "POST"}}, Refused: "filters[0]: a filter that nobody knows"},
			{Matches: []ir.Match{{Path: ir.PathMatch{Kind: ir.Exact, Value: "/broken"}}}, Backends: []ir.BackendUse{{Weight: 1}}},
			{Matches: []ir.Match{{Path: ir.PathMatch{Kind: ir.Exact, Value: "/empty"}}}, Backends: []ir.BackendUse{backend("empty", 1)}},
		},
	}
	wide := &ir.Route{
		Origin: ir.Object{Kind: "HTTPRoute", Namespace: "team", Name: "wide"}, Kind: ir.HTTPRoute, Created: time.Unix(200, 0),
		Attachments: []ir.Attachment{{Listener: http.Key, Hostnames: []string{"*.example.com", "only.example.org"}}},
		Rules:       []*ir.Rule{{Matches: []ir.Match{{Path: prefix("/")}}, Backends: []ir.BackendUse{backend("shop", 0)}}},
	}
	return &ir.Unit{
		Proxy: &ir.Proxy{Owner: owner, Listeners: []*ir.Listener{http, isolated, closed, closedTLS, https}, Routes: []*ir.Route{shop, wide}},
		Endpoints: []*ir.Endpoints{
			{Key: ir.EndpointsKey{Namespace: "default", Service: "canary", Port: 80}, Endpoints: []ir.Endpoint{{Address: "10.0.0.3", Port: 8080}}},
			{Key: ir.EndpointsKey{Namespace: "default", Service: "shop", Port: 80}, Endpoints: []ir.Endpoint{{Address: "10.0.0.1", Port: 8080}, {Address: "fd00::1", Port: 8080}}},
		},
	}
}

// mixed is demo with listeners of TLS and UDP at the port of HTTPS.
func mixed() *ir.Unit {
	u := demo()
	passed, untaken := listener("passed", 443, ir.TLS, "db.example.com"), listener("untaken", 443, ir.TLS, "free.example.com")
	u.Proxy.Listeners = append([]*ir.Listener{listener("udp", 443, ir.UDP, "*"), passed, untaken}, u.Proxy.Listeners...)
	u.Proxy.Routes = append(u.Proxy.Routes, &ir.Route{
		Origin: ir.Object{Kind: "TLSRoute", Namespace: "default", Name: "db"}, Kind: ir.TLSRoute,
		Attachments: []ir.Attachment{{Listener: passed.Key, Hostnames: []string{"db.example.com"}}},
		Rules:       []*ir.Rule{{Backends: []ir.BackendUse{backend("shop", 1)}}},
	})
	return u
}

// TestPortsThatAreShared asks for hosts of listeners of TLS, and of HTTPS beside
// them.
func TestPortsThatAreShared(t *testing.T) {
	for host, want := range map[string]string{
		"db.example.com":   `404: listener "passed" takes connections of TLS for the host "db.example.com" and reads no requests on them; TLSRoute default/db carries them to its backends`,
		"free.example.com": `404: listener "untaken" takes connections of TLS for the host "free.example.com", reads no requests on them, and no route takes them`,
		"shop.example.com": "HTTPRoute default/shop rule 0 serves it",
		"other.example":    `404: no listener at port 443 takes the host "other.example"`,
	} {
		e := Explain([]*ir.Unit{mixed()}, Request{Method: "GET", Scheme: "https", Host: host, Path: "/"})
		if e.Verdict != want {
			t.Errorf("%s: got\n%s\nwant\n%s", host, e.Verdict, want)
		}
	}
}

func TestGolden(t *testing.T) {
	for _, c := range []struct {
		name string
		r    Request
	}{
		{"plain", Request{Method: "GET", Scheme: "http", Host: "shop.example.com", Path: "/"}},
		{"header", Request{Method: "GET", Scheme: "https", Host: "shop.example.com", Path: "/a/../b", Headers: []ir.Header{{Name: "X-Version", Value: "beta"}}}},
		{"redirect", Request{Method: "GET", Scheme: "http", Host: "shop.example.com", Path: "/old/shoes"}},
		{"refused", Request{Method: "POST", Scheme: "http", Host: "shop.example.com", Path: "/admin/x"}},
		{"broken", Request{Method: "GET", Scheme: "http", Host: "shop.example.com", Path: "/broken"}},
		{"empty", Request{Method: "GET", Scheme: "http", Host: "shop.example.com", Path: "/empty"}},
		{"no-weight", Request{Method: "GET", Scheme: "http", Host: "x.example.com", Path: "/"}},
		{"isolated", Request{Method: "GET", Scheme: "http", Host: "only.example.com", Path: "/"}},
		{"no-host", Request{Method: "GET", Scheme: "https", Host: "shop.example.org", Path: "/"}},
		{"wrong-scheme", Request{Method: "GET", Scheme: "https", Host: "shop.example.com", Port: 80, Path: "/"}},
		{"no-port", Request{Method: "GET", Scheme: "http", Host: "shop.example.com", Port: 81, Path: "/"}},
		{"refused-listener", Request{Method: "GET", Scheme: "https", Host: "closed.example.com", Path: "/"}},
		{"refused-listener-http", Request{Method: "GET", Scheme: "http", Host: "closed.example.com", Path: "/"}},
		{"bad-path", Request{Method: "GET", Scheme: "http", Host: "shop.example.com", Path: "/a%2Fb"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got strings.Builder
			if err := Write(&got, Explain([]*ir.Unit{demo()}, c.r)); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", c.name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got.String(), want)
			}
		})
	}
}

// TestEncodedSlashesAreReadAsEachUnitDoes asks two Gateways, one of whose class
// keeps encoded slashes.
func TestEncodedSlashesAreReadAsEachUnitDoes(t *testing.T) {
	strict, keeping := demo(), demo()
	keeping.Proxy.Settings.Path.KeepEncodedSlashes = true
	r := Request{Method: "GET", Scheme: "http", Host: "shop.example.com", Path: "/a%2fb"}
	if e := Explain([]*ir.Unit{strict}, r); e.Served || !strings.HasPrefix(e.Verdict, "400: ") {
		t.Errorf("refused: %+v", e)
	}
	e := Explain([]*ir.Unit{strict, keeping}, r)
	if e.Path != "/a%2Fb" || len(e.Answers) != 2 || e.Answers[0].Status != 400 || e.Answers[1].Winner == nil || !e.Served {
		t.Errorf("kept by one: %+v", e)
	}
}
