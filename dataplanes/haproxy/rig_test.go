package haproxy_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/haproxy"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	"github.com/sluice-gateway/sluice/ir"
	haproxytest "github.com/sluice-gateway/sluice/test/haproxy"
)

var (
	gateway  = ir.Object{Kind: "Gateway", Namespace: "infra", Name: "gw"}
	loopback = netip.MustParseAddr("127.0.0.1")
)

// patience bounds every wait of these tests, on a machine that is busy with others.
const patience = time.Minute

// rig is a running dataplane and a unit that it serves.
type rig struct {
	t        testing.TB
	local    dataplanes.Local
	unit     *ir.Unit
	version  int
	log      *lines
	stop     context.CancelFunc
	outcomes chan dataplanes.Outcome
}

func newRig(t testing.TB, opts dataplanes.Options) *rig {
	t.Helper()
	haproxytest.Program(t)
	ctx, cancel := context.WithCancel(context.Background())
	r := &rig{t: t, stop: cancel, log: &lines{}, outcomes: make(chan dataplanes.Outcome, 1000), unit: newUnit(gateway)}
	opts.AccessLog = r.log
	var err error
	if r.local, err = (haproxy.Dataplane{}).Start(ctx, opts); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.outcomes)
		for o := range r.local.Outcomes() {
			r.outcomes <- o
		}
	}()
	t.Cleanup(func() {
		cancel()
		for range r.outcomes { //nolint:revive // Drained until closed.
		}
	})
	return r
}

func newUnit(owner ir.Object) *ir.Unit {
	return &ir.Unit{Proxy: &ir.Proxy{Owner: owner, Settings: ir.Settings{
		Timeouts: ir.ServerTimeouts{Drain: ir.Duration(5 * time.Second), Connect: ir.Duration(5 * time.Second)},
		TLS:      ir.TLSSettings{MinVersion: ir.TLS12, ALPN: []string{"h2", "http/1.1"}},
	}}}
}

// apply puts the unit in force as it is now, and returns the outcome.
func (r *rig) apply() dataplanes.Outcome {
	r.t.Helper()
	return r.await(r.send())
}

// send hands the unit over and returns its version.
func (r *rig) send() string {
	r.version++
	proxy := *r.unit.Proxy
	// What is handed over must not change, and tests write into their lists.
	proxy.Listeners, proxy.Routes = slices.Clone(proxy.Listeners), slices.Clone(proxy.Routes)
	proxy.Backends, proxy.Certificates = slices.Clone(proxy.Backends), slices.Clone(proxy.Certificates)
	unit := ir.Unit{Proxy: &proxy, Endpoints: r.unit.Endpoints}
	version := strconv.Itoa(r.version)
	r.local.Apply(dataplanes.Assignment{Unit: &unit, Version: version, Address: loopback})
	return version
}

func (r *rig) await(version string) dataplanes.Outcome {
	r.t.Helper()
	return r.until("version "+version, func(o dataplanes.Outcome) bool { return o.Version == version })
}

// until returns the first outcome that is as it should be.
func (r *rig) until(what string, is func(dataplanes.Outcome) bool) dataplanes.Outcome {
	r.t.Helper()
	var last dataplanes.Outcome
	for {
		select {
		case o := <-r.outcomes:
			if last = o; is(o) {
				return o
			}
		case <-time.After(patience):
			r.t.Fatalf("no outcome: %s; the last: %+v", what, last)
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

// refused applies, and wants problems of those rules alone, that hold a word.
func (r *rig) refused(word string, rules ...*ir.Rule) {
	r.t.Helper()
	out := r.apply()
	got := map[ir.Origin]string{}
	for _, p := range out.Problems {
		got[p.Origin] = p.Message
	}
	for _, rule := range rules {
		if !strings.Contains(got[rule.Origin], word) {
			r.t.Errorf("%s %q: want %q in it", rule.Origin.Name, got[rule.Origin], word)
		}
		delete(got, rule.Origin)
	}
	if len(got) > 0 {
		r.t.Errorf("more problems than those of %d rules: %v", len(rules), got)
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

func listenerKey(name string) ir.ListenerKey { return ir.ListenerKey{Owner: gateway, Section: name} }

// route adds a route of one rule for a path and what is below it.
func (r *rig) route(listener, path string, rule *ir.Rule) *ir.Rule {
	name := fmt.Sprintf("route-%d", len(r.unit.Proxy.Routes))
	route := &ir.Route{
		Origin: ir.Object{Kind: "HTTPRoute", Namespace: "apps", Name: name}, Kind: ir.HTTPRoute,
		Created: time.Unix(1e9, 0), Attachments: []ir.Attachment{{Listener: listenerKey(listener), Hostnames: []string{"*"}}},
		Rules: []*ir.Rule{rule},
	}
	rule.Origin = ir.Origin{Object: route.Origin}
	if len(rule.Matches) == 0 {
		rule.Matches = []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: path}}}
	}
	r.unit.Proxy.Routes = append(r.unit.Proxy.Routes, route)
	return rule
}

// backend adds a backend with the given endpoints.
func (r *rig) backend(name string, addrs ...string) ir.BackendKey {
	key := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Namespace: "apps", Service: name, Port: 80}, Protocol: ir.BackendHTTP1}
	r.unit.Proxy.Backends = append(r.unit.Proxy.Backends, &ir.Backend{Key: key})
	r.endpoints(key.EndpointsKey, addrs...)
	return key
}

// endpoints replaces the endpoints of a Service's port.
func (r *rig) endpoints(key ir.EndpointsKey, addrs ...string) {
	e := &ir.Endpoints{Key: key}
	for _, a := range addrs {
		ap := netip.MustParseAddrPort(a)
		e.Endpoints = append(e.Endpoints, ir.Endpoint{Address: ap.Addr().String(), Port: ap.Port()})
	}
	kept := make([]*ir.Endpoints, 0, len(r.unit.Endpoints)+1)
	for _, old := range r.unit.Endpoints {
		if old.Key != key {
			kept = append(kept, old)
		}
	}
	r.unit.Endpoints = append(kept, e)
}

func to(keys ...ir.BackendKey) []ir.BackendUse {
	uses := make([]ir.BackendUse, 0, len(keys))
	for _, k := range keys {
		uses = append(uses, ir.BackendUse{Backend: &k, Weight: 1})
	}
	return uses
}

// named answers its name, whatever is asked.
func named(t testing.TB, name string) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })
}

// refusing is an endpoint that nobody can be connected to: the port is taken, so that
// no other test gets it, and nobody listens there.
func refusing(t testing.TB) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: loopback.As4()}); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s:%d", loopback, at.(*syscall.SockaddrInet4).Port)
}

func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// handedOut are the ports of this process's tests.
var handedOut sync.Map

// freePort returns a port below those that the system gives to connections.
func freePort(t testing.TB) uint16 {
	t.Helper()
	for range 1000 {
		port := uint16(12000 + rand.IntN(20000))
		if _, taken := handedOut.LoadOrStore(port, true); taken {
			continue
		}
		ln, err := net.Listen("tcp", netip.AddrPortFrom(loopback, port).String())
		if err == nil {
			ln.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// ask returns status and body of an answer, over a connection of its own.
func ask(t testing.TB, url string) (int, string) {
	t.Helper()
	status, body, err := try(t, url)
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

func try(t testing.TB, url string) (int, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

func wantAnswer(t testing.TB, url string, status int, body string) {
	t.Helper()
	if gotStatus, gotBody := ask(t, url); gotStatus != status || body != "" && gotBody != body {
		t.Errorf("%s: %d %q, want %d %q", url, gotStatus, gotBody, status, body)
	}
}

// awaitAnswer waits until an answer comes that is as it should be.
func awaitAnswer(t testing.TB, url string, status int) {
	t.Helper()
	wait.For(t, fmt.Sprintf("%s answers %d", url, status), func() bool {
		got, _, err := try(t, url)
		return err == nil && got == status
	})
}

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}
