package envoy

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// startDoor starts Envoy with what every listener has before its routes, for some
// settings, in front of a backend.
func startDoor(t testing.TB, settings ir.Settings, backend *httptest.Server) *door {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), log: &bytes.Buffer{}, dead: make(chan struct{})}
	c := &Config{unit: &ir.Unit{Proxy: &ir.Proxy{Settings: settings}}, target: Target{Trail: "sluice-test"}}
	m := c.manager(&ir.Listener{Protocol: ir.HTTP, Port: 80, Hostname: "*"})
	routes := c.routeConfiguration("all", []*routev3.VirtualHost{{Name: "all", Domains: []string{"*"}, Routes: []*routev3.Route{{
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{}},
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "echo"}}},
	}}}})
	m.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes}
	m.AccessLog = nil
	boot := &bootstrapv3.Bootstrap{LayeredRuntime: Runtime(), StaticResources: &bootstrapv3.Bootstrap_StaticResources{
		Clusters: []*clusterv3.Cluster{echoCluster(backend.Listener.Addr())},
		Listeners: []*listenerv3.Listener{{
			Name:    "d",
			Address: &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: filepath.Join(r.dir, "d.sock")}}},
			FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
				Name:       "envoy.filters.network.http_connection_manager",
				ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: typed(m)},
			}}}},
		}},
	}}
	if err := boot.ValidateAll(); err != nil {
		t.Fatal(err)
	}
	text, err := protojson.Marshal(boot)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "boot.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	r.run()
	d := &door{rig: r, name: "d"}
	awaitSocket(t, r)
	return d
}

func awaitSocket(t testing.TB, r *rig) {
	t.Helper()
	for {
		select {
		case <-r.dead:
			t.Fatalf("Envoy has ended: %s", r.log)
		default:
		}
		if conn, err := net.Dial("unix", filepath.Join(r.dir, "d.sock")); err == nil {
			_ = conn.Close()
			return
		}
	}
}

func echoCluster(at net.Addr) *clusterv3.Cluster {
	address := netip.MustParseAddrPort(at.String())
	return &clusterv3.Cluster{Name: "echo", LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: "echo", Endpoints: []*endpointv3.LocalityLbEndpoints{{
		LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
			Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
				Address: address.Addr().String(), PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(address.Port())},
			}}},
		}}}},
	}}}}
}

// echoTarget answers with the target that arrived.
func echoTarget(t testing.TB) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RequestURI) }))
	t.Cleanup(s.Close)
	return s
}

// pieces are what paths go wrong with.
var pieces = []string{
	"/", "/", "/", "/a", "b", ".", "..", "/..", "/.", "%2e", "%2E", ";", "x=1", "%2f", "%2F", "%5c", "%5C", "%", "%4", "%zz", "%41", "%7e",
	"%c3%bc", "%C3%BC", "%25", "%252f", "%20", "%00", "%1f", "%7F", "%3b", "%3B", "{", "}", "[", "]", "|", "^", "\"", "<", ">", "`", "'", "(", ")",
	"*", "!", "$", "&", "+", ",", "=", ":", "@", "~", "_", "-", "é", "%3f", "%23", "//", "...", "..;", "/.;", "%2e%2e", "%2e.", "%5B", "%5d",
}

var escapeForm = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// TestPathsAreNormalAtTheDoor has paths that package requestpath gives a normal
// form arrive in it, and the others refused. Escapes in both cases in one path,
// and brackets in two forms, are refused as well: trees know either.
func TestPathsAreNormalAtTheDoor(t *testing.T) {
	for _, slashes := range []requestpath.Slashes{requestpath.RejectSlashes, requestpath.KeepSlashes} {
		t.Run(fmt.Sprint("keep=", bool(slashes)), func(t *testing.T) {
			d := startDoor(t, ir.Settings{Path: ir.PathSettings{KeepEncodedSlashes: bool(slashes)}}, echoTarget(t))
			rapid.Check(t, func(t *rapid.T) {
				path := "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 8).Draw(t, "pieces"), "")
				query := rapid.SampledFrom([]string{"", "", "?", "?a=//../%2f&b", "?%zz"}).Draw(t, "query")
				checkPath(t, d, pathCase{path, query, slashes})
			})
		})
	}
}

type pathCase struct {
	path, query string
	slashes     requestpath.Slashes
}

func checkPath(t *rapid.T, d *door, c pathCase) {
	want, err := c.slashes.Normalise(c.path)
	status, body := d.ask("GET " + c.path + c.query + " HTTP/1.1\r\nHost: a.example\r\n\r\n")
	switch {
	case err != nil && status == 200 && gone(c, strings.TrimSuffix(body, c.query)):
	case err != nil && status != 400:
		t.Fatalf("%s: got %d %q, want 400: %v", c.path, status, body, err)
	case err != nil || status == 400 && mixed(c.path):
	case status != 200 || body != want+c.query:
		t.Fatalf("%s: got %d %q, want %q", c.path, status, body, want+c.query)
	}
}

// gone says whether what is refused may have been in a segment that dots took
// away before the door: nobody sees it.
func gone(c pathCase, left string) bool {
	normal, err := c.slashes.Normalise(left)
	dots := strings.ReplaceAll(strings.ToLower(c.path), "%2e", ".")
	return err == nil && normal == left && strings.Contains(dots, "..")
}

// mixed says whether a path may hold escapeForm in upper and in lower case once Envoy
// has written its own, or brackets in two forms.
func mixed(path string) bool {
	all := strings.Join(escapeForm.FindAllString(path, -1), "")
	lower, upper := strings.ContainsAny(all, "abcdef"), strings.ContainsAny(all, "ABCDEF") || strings.ContainsAny(path, "{}|^\"<>`")
	return lower && upper || strings.ContainsAny(path, "[]") && (strings.Contains(strings.ToUpper(path), "%5B") || strings.Contains(strings.ToUpper(path), "%5D"))
}

// TestTheDoorRefuses has what is no request refused as by the Go proxy.
func TestTheDoorRefuses(t *testing.T) {
	d := startDoor(t, ir.Settings{}, echoTarget(t))
	for head, want := range map[string]int{
		"GET / HTTP/1.1\r\nHost: a.example":             200,
		"GET / HTTP/1.1\r\nHost: a.example.:65535":      200,
		"GET / HTTP/1.1\r\nHost: [::1]:80":              200,
		"GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:1.2.3.4]": 200,
		"PURGE / HTTP/1.1\r\nHost: a_b.example":         200,
		// Envoy itself answers what is asked of the server as a whole.
		"OPTIONS * HTTP/1.1\r\nHost: a.example":                                     404,
		"GET / HTTP/1.1\r\nHost: a.example\r\nCDN-Loop: other; x=1":                 200,
		"GET / HTTP/1.1\r\nHost: a.example\r\nX-Sluice-Path: /x/":                   200,
		"GET / HTTP/1.1\r\nHost: ":                                                  400,
		"GET / HTTP/1.1\r\nHost: a.example:":                                        400,
		"GET / HTTP/1.1\r\nHost: a.example:0":                                       400,
		"GET / HTTP/1.1\r\nHost: a.example:65536":                                   400,
		"GET / HTTP/1.1\r\nHost: a..example":                                        400,
		"GET / HTTP/1.1\r\nHost: .a":                                                400,
		"GET / HTTP/1.1\r\nHost: u@a.example":                                       400,
		"GET / HTTP/1.1\r\nHost: a%41.example":                                      400,
		"GET / HTTP/1.1\r\nHost: [::1":                                              400,
		"GET / HTTP/1.1\r\nHost: [::1%25eth0]":                                      400,
		"GET / HTTP/1.1\r\nHost: [1:2:3]":                                           400,
		"GET / HTTP/1.1\r\nHost: [::1::]":                                           400,
		"GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example":                      400,
		"get / HTTP/1.1\r\nHost: a.example":                                         400,
		"TRACE / HTTP/1.1\r\nHost: a.example":                                       405,
		strings.Repeat("A", 33) + " / HTTP/1.1\r\nHost: a.example":                  501,
		"GET / HTTP/1.1\r\nHost: a.example\r\nCDN-Loop: other, sluice-test":         508,
		"GET / HTTP/1.1\r\nHost: a.example\r\nCdn-Loop: a\r\nCDN-Loop: sluice-test": 508,
	} {
		if status, body := d.ask(head + "\r\n\r\n"); status != want {
			t.Errorf("%q: got %d %q, want %d", head, status, body, want)
		}
	}
}
