package goproxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy"
	planes "github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
)

// What tests of all dataplanes have.
var (
	gateway, loopback = planes.Gateway, planes.Loopback
	freePort          = planes.FreePort
	listenerKey       = planes.ListenerKey
	to                = planes.To
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// rig is a running proxy and the unit that it serves.
type rig struct {
	t       testing.TB
	local   dataplanes.Local
	unit    *ir.Unit
	version int
	log     *lines
	stop    context.CancelFunc
	admin   netip.AddrPort
}

func newRig(t testing.TB) *rig {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &rig{t: t, stop: cancel, log: &lines{}, admin: netip.AddrPortFrom(loopback, freePort(t))}
	local, err := goproxy.Dataplane{}.Start(ctx, dataplanes.Options{Admin: r.admin, AccessLog: r.log})
	if err != nil {
		t.Fatal(err)
	}
	r.local = local
	r.unit = &ir.Unit{Proxy: &ir.Proxy{Owner: gateway, Settings: ir.Settings{
		Timeouts:  ir.ServerTimeouts{Drain: ir.Duration(200 * time.Millisecond), Connect: ir.Duration(5 * time.Second)},
		TLS:       ir.TLSSettings{MinVersion: ir.TLS12, ALPN: []string{"h2", "http/1.1"}},
		AccessLog: ir.AccessLog{Enabled: true},
	}}}
	t.Cleanup(func() {
		cancel()
		for range local.Outcomes() { //nolint:revive // Drained until closed.
		}
	})
	return r
}

// apply puts the unit in force as it is now, and returns the outcome.
func (r *rig) apply() dataplanes.Outcome {
	r.t.Helper()
	r.version++
	proxy := *r.unit.Proxy
	unit := ir.Unit{Proxy: &proxy, Endpoints: r.unit.Endpoints}
	version := strconv.Itoa(r.version)
	r.local.Apply(dataplanes.Assignment{Unit: &unit, Version: version, Address: loopback})
	for {
		select {
		case o := <-r.local.Outcomes():
			if o.Version == version {
				return o
			}
		case <-time.After(patience):
			r.t.Fatalf("no outcome for version %s", version)
		}
	}
}

// must applies and wants no problem.
func (r *rig) must() {
	r.t.Helper()
	if o := r.apply(); len(o.Problems) > 0 {
		r.t.Fatalf("problems: %v", o.Problems)
	}
}

// listen adds a plain listener for every host and returns its address.
func (r *rig) listen(name string) string {
	port := freePort(r.t)
	r.unit.Proxy.Listeners = append(r.unit.Proxy.Listeners, &ir.Listener{
		Key: listenerKey(name), Port: port, Protocol: ir.HTTP, Hostname: "*",
	})
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// route adds a route of one rule that matches every path, and returns the rule.
func (r *rig) route(listener string, rule *ir.Rule) *ir.Route {
	name := fmt.Sprintf("route-%d", len(r.unit.Proxy.Routes))
	route := &ir.Route{
		Origin: ir.Object{Kind: "HTTPRoute", Namespace: "apps", Name: name}, Kind: ir.HTTPRoute,
		Created: time.Unix(1e9, 0), Attachments: []ir.Attachment{{Listener: listenerKey(listener), Hostnames: []string{"*"}}},
		Rules: []*ir.Rule{rule},
	}
	rule.Origin = ir.Origin{Object: route.Origin}
	if len(rule.Matches) == 0 {
		rule.Matches = []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: "/"}}}
	}
	r.unit.Proxy.Routes = append(r.unit.Proxy.Routes, route)
	return route
}

// backend adds a backend with the given endpoints.
func (r *rig) backend(name string, protocol ir.BackendProtocol, addrs ...string) ir.BackendKey {
	key := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Namespace: "apps", Service: name, Port: 80}, Protocol: protocol}
	r.unit.Proxy.Backends = append(r.unit.Proxy.Backends, &ir.Backend{Key: key})
	r.endpoints(key.EndpointsKey, addrs...)
	return key
}

// endpoints replaces the endpoints of a Service's port.
func (r *rig) endpoints(key ir.EndpointsKey, addrs ...string) {
	planes.Endpoints(r.unit, key, addrs...)
}

// serve starts a backend of HTTP/1.1 and h2c.
func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = &http.Protocols{}
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// named answers its name, whatever is asked.
func named(t testing.TB, name string) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })
}

// answer is what a client got.
type answer struct {
	status  int
	body    string
	header  http.Header
	trailer http.Header
	proto   int
}

func get(t *testing.T, client *http.Client, url string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, client, req)
}

func do(t *testing.T, client *http.Client, req *http.Request) answer {
	t.Helper()
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, string(body), res.Header, res.Trailer, res.ProtoMajor}
}

// newClient returns a client with connections of its own, that follows nothing.
func newClient(t testing.TB, transport *http.Transport) *http.Client {
	t.Helper()
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 2 * patience, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

func plain(t testing.TB) *http.Client {
	t.Helper()
	return newClient(t, &http.Transport{DisableCompression: true})
}

func h2c(t *testing.T) *http.Client {
	t.Helper()
	p := &http.Protocols{}
	p.SetUnencryptedHTTP2(true)
	return newClient(t, &http.Transport{Protocols: p, DisableCompression: true})
}

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text []byte
	// discard keeps nothing.
	discard bool
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.discard {
		l.text = append(l.text, p...)
	}
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

func TestContract(t *testing.T) { planes.Contract(t, goproxy.Dataplane{}) }
