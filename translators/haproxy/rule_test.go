package haproxy

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// served runs HAProxy with a configuration, and returns where its port 80 is.
func served(t *testing.T, c *Config) string {
	t.Helper()
	return servedIn(t, t.TempDir(), c)
}

// servedIn runs HAProxy in a folder.
func servedIn(t *testing.T, dir string, c *Config) string {
	t.Helper()
	path := program(t)
	for _, f := range c.Files {
		write(t, filepath.Join(dir, f.Name), f.Content+string(f.Secret))
	}
	write(t, filepath.Join(dir, RoutesMap), c.Map())
	write(t, filepath.Join(dir, "haproxy.cfg"), c.Text())
	write(t, filepath.Join(dir, "secret.cfg"), "global\n  set-var "+SessionKey+" str("+base64.StdEncoding.EncodeToString([]byte(sessionKey))+")\n")
	cmd := exec.CommandContext(t.Context(), path, "-db", "-C", dir, "-f", "haproxy.cfg", "-f", "secret.cfg") //nolint:gosec // Whoever runs the tests says which.
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	at := c.address(80).String()
	for {
		connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", at)
		if err == nil {
			_ = connection.Close()
			// Sockets with a name have it last.
			if _, err := os.Stat(filepath.Join(dir, AdminSocket)); err == nil {
				return at
			}
		}
		select {
		case <-ended:
			t.Fatalf("HAProxy has ended: %s\n%s", said.String(), c.Text())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// somewhere is an address of its own, where nobody listens.
func somewhere() Target {
	n := rand.Uint32()
	return Target{Address: netip.AddrFrom4([4]byte{127, byte(n>>16)%254 + 1, byte(n >> 8), byte(n)%254 + 1}), PortOffset: 20000} //nolint:gosec // Octets are meant.
}

// echo answers with what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	for name, values := range r.Header {
		for _, value := range values {
			w.Header().Add("Got-"+name, value)
		}
	}
	w.Header().Set("Got-Path", r.URL.RequestURI())
	w.Header().Set("Got-Host", r.Host)
	w.Header().Set("Vary", "Accept")
	w.Header().Set("X-Remove", "backend")
	_, _ = io.WriteString(w, "echo")
}

// service is a Service of endpoints that answer as a handler does.
type service struct {
	name      string
	endpoints []http.HandlerFunc
}

// ruled is a unit of one HTTP listener whose route has one rule under each path.
// Uses of backends without a weight are of the service "one", which echoes.
func ruled(t *testing.T, rules map[string]*ir.Rule, others ...service) *Config {
	t.Helper()
	listener := ir.ListenerKey{Section: "http"}
	unit := &ir.Unit{Proxy: &ir.Proxy{
		Listeners: []*ir.Listener{{Key: listener, Port: 80, Protocol: ir.HTTP, Hostname: "*"}},
	}}
	for _, s := range append(others, service{"one", []http.HandlerFunc{echo}}) {
		key := keyOf(s.name)
		e := &ir.Endpoints{Key: key.EndpointsKey}
		for _, handler := range s.endpoints {
			backend := httptest.NewServer(handler)
			t.Cleanup(backend.Close)
			at := netip.MustParseAddrPort(backend.Listener.Addr().String())
			e.Endpoints = append(e.Endpoints, ir.Endpoint{Address: at.Addr().String(), Port: at.Port()})
		}
		unit.Proxy.Backends, unit.Endpoints = append(unit.Proxy.Backends, &ir.Backend{Key: key}), append(unit.Endpoints, e)
	}
	route := &ir.Route{
		Origin: ir.Object{Kind: "HTTPRoute", Namespace: "shop", Name: "r"}, Kind: ir.HTTPRoute,
		Attachments: []ir.Attachment{{Listener: listener, Hostnames: []string{"*"}}},
	}
	for _, path := range slices.Sorted(maps.Keys(rules)) {
		rule := rules[path]
		rule.Origin = ir.Origin{Object: route.Origin, Rule: len(route.Rules)}
		rule.Matches = []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: path}}}
		for i := range rule.Backends {
			if use := &rule.Backends[i]; use.Weight == 0 {
				one := keyOf("one")
				use.Backend, use.Weight = &one, 1
			}
		}
		route.Rules = append(route.Rules, rule)
	}
	unit.Proxy.Routes = []*ir.Route{route}
	return Translate(unit, somewhere(), nil)
}

func keyOf(name string) ir.BackendKey {
	return ir.BackendKey{EndpointsKey: ir.EndpointsKey{Namespace: "shop", Service: name, Port: 80}, Protocol: ir.BackendHTTP1}
}

// ask sends a request without following redirects. Fields are "Name: value".
func ask(t *testing.T, method, url string, fields ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "a.example"
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		if r.Header.Add(name, value); name == "Host" {
			r.Host = value
		}
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer
}

// nasty holds all that could mean something to HAProxy.
const nasty = `100% %[src] %{+Q}o ${HOME} $1 "a" 'b' \x41 \n # { } if unless [ ] ( ) , ; | & <>` + "\t\u00fc"

func TestFiltersMeanWhatTheySay(t *testing.T) {
	full, empty, prefix := "/a%20$1%251", "", "/xyz"
	one := []ir.BackendUse{{}}
	edit := &ir.HeaderEdit{
		Set: []ir.Header{{Name: "X-Set", Value: nasty}, {Name: "x_a-$#'`|", Value: "1"}}, Add: []ir.Header{{Name: "X-Add", Value: "rule"}}, Remove: []string{"X-Remove"},
	}
	c := ruled(t, map[string]*ir.Rule{
		"/edit": {Filters: []ir.Filter{{RequestHeaders: edit}, {ResponseHeaders: edit}}, Backends: []ir.BackendUse{{
			Filters: []ir.Filter{{RequestHeaders: &ir.HeaderEdit{Add: []ir.Header{{Name: "x-add", Value: "use"}}}}, {ResponseHeaders: &ir.HeaderEdit{Add: []ir.Header{{Name: "x-add", Value: "use"}}}}},
		}}},
		"/full":     {Filters: []ir.Filter{{Rewrite: &ir.Rewrite{Hostname: "new.example", Path: &ir.PathEdit{Full: &full}}}}, Backends: one},
		"/empty":    {Filters: []ir.Filter{{Rewrite: &ir.Rewrite{Path: &ir.PathEdit{Prefix: &empty}}}}, Backends: []ir.BackendUse{{}}},
		"/prefix":   {Filters: []ir.Filter{{Rewrite: &ir.Rewrite{Path: &ir.PathEdit{Prefix: &prefix}}}}, Backends: []ir.BackendUse{{}}},
		"/redirect": {Filters: []ir.Filter{{ResponseHeaders: edit}, {Redirect: &ir.Redirect{Scheme: "https", Status: 308, Path: &ir.PathEdit{Prefix: &prefix}}}}},
		"/nobody":   {Filters: []ir.Filter{{ResponseHeaders: edit}}},
		"/nothing":  {Backends: []ir.BackendUse{{Weight: 1}}},
		"/refused":  {Refused: "something", Backends: nil},
		"/invalid":  {Filters: []ir.Filter{{RequestHeaders: &ir.HeaderEdit{Remove: []string{"Host"}}}}, Backends: []ir.BackendUse{{}}},
	})
	if len(c.Problems) != 1 || !strings.Contains(c.Problems[0].Message, "filters[0].requestHeaders: remove") {
		t.Errorf("Problems are %v; want one, of what removes Host", c.Problems)
	}
	if again := Translate(c.unit, c.target, c); again.Text() != c.Text() || !slices.Equal(again.Problems, c.Problems) {
		t.Errorf("the same unit once more is\n%s\nwith the problems %v", again.Text(), again.Problems)
	}
	at := served(t, c)
	for _, step := range []struct {
		path   string
		status int
		want   map[string]string
		fields []string
	}{
		{"/edit", 200, map[string]string{
			"Got-X-Set": nasty, "Got-X-Add": "client rule use", "Got-X-Remove": "", "Got-X_remove": "", "X-Set": nasty, "X-Add": "use rule", "X-Remove": "", "Got-Host": "a.example",
		}, []string{"X-Set: client", "X_set: client", "X-Add: client", "X-Remove: client", "X_remove: client", "x.remove: client"}},
		{"/full/x?a=%31$1", 200, map[string]string{"Got-Path": full + "?a=%31$1", "Got-Host": "new.example"}, nil},
		{"/empty", 200, map[string]string{"Got-Path": "/"}, nil},
		{"/empty/", 200, map[string]string{"Got-Path": "/"}, nil},
		{"/empty/a?b", 200, map[string]string{"Got-Path": "/a?b"}, nil},
		{"/prefix", 200, map[string]string{"Got-Path": "/xyz"}, nil},
		{"/prefix/", 200, map[string]string{"Got-Path": "/xyz/"}, nil},
		{"/prefix/a/b", 200, map[string]string{"Got-Path": "/xyz/a/b"}, nil},
		{"/redirect/a?b=%32&c", 308, map[string]string{"Location": "https://a.example/xyz/a?b=%32&c", "X-Add": "rule"}, nil},
		{"/redirect?", 308, map[string]string{"Location": "https://a.example/xyz?"}, nil},
		{"/redirect", 400, nil, []string{"Host: a*example"}},
		{"/nobody", 500, map[string]string{"X-Add": "rule", "Content-Type": "text/plain; charset=utf-8"}, nil},
		{"/nothing", 500, nil, nil},
		{"/refused", 500, nil, nil},
		{"/invalid", 500, nil, nil},
	} {
		got := ask(t, http.MethodGet, "http://"+at+step.path, step.fields...)
		if got.StatusCode != step.status {
			t.Errorf("%s: status %d, want %d", step.path, got.StatusCode, step.status)
		}
		for name, want := range step.want {
			if value := strings.Join(got.Header.Values(name), " "); value != want {
				t.Errorf("%s: %s is %q, want %q", step.path, name, value, want)
			}
		}
	}
	if t.Failed() {
		t.Log(c.Text())
	}
}

func TestCrossOriginRequests(t *testing.T) {
	spec := func(credentials bool, origins ...string) *ir.Rule {
		return &ir.Rule{Filters: []ir.Filter{{CORS: &ir.CORS{
			AllowOrigins: origins, AllowMethods: []string{"*"}, AllowHeaders: []string{"*"}, ExposeHeaders: []string{"X-Seen"}, AllowCredentials: credentials, MaxAge: 5,
		}}}, Backends: []ir.BackendUse{{}}}
	}
	at := served(t, ruled(t, map[string]*ir.Rule{
		"/any": spec(false, "*"), "/trusted": spec(true, "*"), "/none": spec(false),
		"/some":  spec(false, "https://a.example", "http://*.b.example:8080", "https://[2001:db8::1]"),
		"/hosts": spec(false, "https://*"),
	}))
	for _, step := range []struct{ path, origin, want string }{
		{"/any", "https://x.example", "*"},
		{"/any", "null", "*"},
		{"/trusted", "https://x.example", "https://x.example"},
		{"/none", "https://a.example", ""},
		{"/some", "https://a.example", "https://a.example"},
		{"/some", "HTTPS://A.Example:443", "HTTPS://A.Example:443"},
		{"/some", "https://aXexample", ""},
		{"/some", "https://a.example.evil", ""},
		{"/some", "https://a.example/path", ""},
		{"/some", "https://[2001:db8::1]", "https://[2001:db8::1]"},
		{"/some", "http://x.y.b.example:8080", "http://x.y.b.example:8080"},
		{"/some", "http://.b.example:8080", ""},
		{"/some", "http://*.b.example:8080", ""},
		{"/some", "http://x.b.example", ""},
		{"/hosts", "https://x", "https://x"},
		{"/hosts", "https://x:444", ""},
	} {
		for _, method := range []string{http.MethodGet, http.MethodOptions} {
			got := ask(t, method, "http://"+at+step.path, "Origin: "+step.origin, "Access-Control-Request-Method: PUT")
			if value := strings.Join(got.Header.Values("Access-Control-Allow-Origin"), " "); got.StatusCode != 200 || value != step.want {
				t.Errorf("%s %s from %s: %d and %q, want 200 and %q", method, step.path, step.origin, got.StatusCode, value, step.want)
			}
			if reached := got.Header.Get("Got-Host") != ""; reached != (method == http.MethodGet) {
				t.Errorf("%s %s from %s: reached the backend: %v", method, step.path, step.origin, reached)
			}
		}
	}
	for path, want := range map[string]string{"/any": "* * ", "/trusted": "PUT X-A Origin"} {
		got := ask(t, http.MethodOptions, "http://"+at+path, "Origin: https://x.example", "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: X-A")
		if said := fmt.Sprintf("%s %s %s", got.Header.Get("Access-Control-Allow-Methods"), got.Header.Get("Access-Control-Allow-Headers"), got.Header.Get("Vary")); said != want {
			t.Errorf("%s: methods, headers and Vary are %q, want %q", path, said, want)
		}
	}
}

func TestLongListsAreTaken(t *testing.T) {
	long := strings.Repeat("x", 60)
	cors, edit := &ir.CORS{}, &ir.HeaderEdit{}
	for i := range 64 {
		cors.AllowOrigins = append(cors.AllowOrigins, fmt.Sprintf("https://*.%s.%s.%s.%d.example:8443", long, long, long, i))
		cors.AllowHeaders = append(cors.AllowHeaders, fmt.Sprintf("x-%s-%s-%s-%d", long, long, long, i))
		edit.Set = append(edit.Set, ir.Header{Name: fmt.Sprintf("x-%d", i), Value: nasty})
	}
	edit.Set[63].Value = strings.Repeat(nasty, 50)[:4096]
	at := "http://" + served(t, ruled(t, map[string]*ir.Rule{
		"/cors": {Filters: []ir.Filter{{CORS: cors}}, Backends: []ir.BackendUse{{}}},
		"/edit": {Filters: []ir.Filter{{ResponseHeaders: edit}}, Backends: []ir.BackendUse{{}}},
	}))
	origin := "https://a" + strings.TrimPrefix(cors.AllowOrigins[63], "https://*")
	got := ask(t, http.MethodOptions, at+"/cors", "Origin: "+origin, "Access-Control-Request-Method: PUT")
	if got.Header.Get("Access-Control-Allow-Origin") != origin || got.Header.Get("Access-Control-Allow-Headers") != strings.Join(cors.AllowHeaders, ", ") {
		t.Errorf("the last of 64 origins got %d %v", got.StatusCode, got.Header)
	}
	if last := edit.Set[63]; len(ask(t, http.MethodGet, at+"/edit").Header.Get(last.Name)) != len(last.Value) {
		t.Errorf("the last of 64 edits of %d octets is not there", len(last.Value))
	}
}
