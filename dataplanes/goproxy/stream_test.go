package goproxy_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/ir"
)

// streamBackend accepts connections, says its name on each and echoes until the
// client's end.
func streamBackend(t testing.TB, name string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go echoAll(ln, name)
	return ln.Addr().String()
}

func echoAll(ln net.Listener, name string) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			fmt.Fprintln(c, name)
			_, _ = io.Copy(c, c)
			if half, ok := c.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
		}()
	}
}

// layer4 adds a listener of a protocol and returns its address.
func (r *rig) layer4(name string, protocol ir.Protocol, port uint16) string {
	if port == 0 {
		port = freePort(r.t)
	}
	l := &ir.Listener{Key: listenerKey(name), Port: port, Protocol: protocol, Hostname: "*"}
	r.unit.Proxy.Listeners = append(r.unit.Proxy.Listeners, l)
	return fmt.Sprintf("127.0.0.1:%d", port)
}

func (r *rig) lastListener() *ir.Listener {
	return r.unit.Proxy.Listeners[len(r.unit.Proxy.Listeners)-1]
}

// carry adds a route of layer 4.
func (r *rig) carry(kind ir.RouteKind, listener string, hostnames []string, uses ...ir.BackendUse) *ir.Rule {
	rule := &ir.Rule{Backends: uses}
	route := r.route(listener, rule)
	route.Kind, rule.Matches = kind, nil
	route.Origin.Kind = string(kind) + "Route"
	rule.Origin = ir.Origin{Object: route.Origin}
	route.Attachments[0].Hostnames = hostnames
	return rule
}

func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// greeting reads the name that a backend says first; empty where the connection
// is closed instead.
func greeting(t testing.TB, c net.Conn) string {
	t.Helper()
	var name []byte
	for b := make([]byte, 1); ; {
		if _, err := io.ReadFull(c, b); err != nil || b[0] == '\n' {
			return string(name)
		}
		name = append(name, b[0])
	}
}

func TestTCPIsCarriedBothWays(t *testing.T) {
	r := newRig(t)
	addr := r.layer4("tcp", ir.TCP, 0)
	r.carry(ir.TCPRoute, "tcp", nil, to(r.backend("echo", ir.BackendTCP, streamBackend(t, "a")))...)
	r.must()
	c := dial(t, addr)
	if name := greeting(t, c); name != "a" {
		t.Fatalf("greeted by %q", name)
	}
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	go func() { _, _ = c.Write(sent); _ = c.CloseWrite() }()
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d of %d bytes came back, %v", len(got), len(sent), err)
	}
	wait.For(t, "a line in the log", func() bool {
		return strings.Contains(r.log.String(), `"protocol":"TCP"`) &&
			strings.Contains(r.log.String(), fmt.Sprintf(`"bytes_in":%d`, len(sent))) &&
			strings.Contains(r.log.String(), `"backend":"apps/echo:80"`)
	})
}

func TestRefusingEndpointsAreSkipped(t *testing.T) {
	r := newRig(t)
	addr := r.layer4("tcp", ir.TCP, 0)
	r.carry(ir.TCPRoute, "tcp", nil, to(r.backend("echo", ir.BackendTCP,
		"127.0.0.1:1", "127.0.0.1:2", streamBackend(t, "a")))...)
	r.must()
	for range 6 {
		if name := greeting(t, dial(t, addr)); name != "a" {
			t.Fatalf("greeted by %q", name)
		}
	}
}

func TestStreamThatLeadsNowhereIsClosed(t *testing.T) {
	r := newRig(t)
	for name, uses := range map[string][]ir.BackendUse{
		"no backend": nil, "unresolved": {{Weight: 1}},
		"no endpoint": to(r.backend("empty", ir.BackendTCP)),
		"weight 0":    {{Backend: &ir.BackendKey{}, Weight: 0}},
	} {
		addr := r.layer4(name, ir.TCP, 0)
		r.carry(ir.TCPRoute, name, nil, uses...)
		defer func() {
			if got := greeting(t, dial(t, addr)); got != "" {
				t.Errorf("%s: greeted by %q", name, got)
			}
		}()
	}
	addr := r.layer4("no route", ir.TCP, 0)
	r.must()
	if got := greeting(t, dial(t, addr)); got != "" {
		t.Errorf("no route: greeted by %q", got)
	}
}

func TestStreamsAreWeighted(t *testing.T) {
	r := newRig(t)
	addr := r.layer4("tcp", ir.TCP, 0)
	uses := to(r.backend("a", ir.BackendTCP, streamBackend(t, "a")), r.backend("b", ir.BackendTCP, streamBackend(t, "b")),
		r.backend("c", ir.BackendTCP, streamBackend(t, "c")))
	uses[0].Weight, uses[1].Weight, uses[2].Weight = 3, 1, 0
	r.carry(ir.TCPRoute, "tcp", nil, uses...)
	r.must()
	counts := map[string]int{}
	for range 400 {
		c := dial(t, addr)
		counts[greeting(t, c)]++
		c.Close()
	}
	if counts["a"] < 240 || counts["a"] > 360 || counts["a"]+counts["b"] != 400 {
		t.Errorf("shares %v, want 300, 100 and none", counts)
	}
}

// TestStreamsOutliveTables swaps a hundred tables under open connections: other
// routes and listeners, other weights, and endpoints that come and go.
func TestStreamsOutliveTables(t *testing.T) {
	r := newRig(t)
	addr := r.layer4("tcp", ir.TCP, 0)
	a, b := streamBackend(t, "a"), streamBackend(t, "b")
	key := r.backend("echo", ir.BackendTCP, a)
	rule := r.carry(ir.TCPRoute, "tcp", nil, to(key)...)
	web := r.listen("web")
	r.route("web", &ir.Rule{Backends: to(r.backend("web", ir.BackendHTTP1, named(t, "web")))})
	r.must()
	c := dial(t, addr)
	greeting(t, c)
	page := make([]byte, 4)
	for i := range 100 {
		uses := to(key)
		uses[0].Weight = 1 + i
		swapped := *rule
		swapped.Backends = uses
		r.unit.Proxy.Routes[0] = &ir.Route{
			Origin: r.unit.Proxy.Routes[0].Origin, Kind: ir.TCPRoute,
			Attachments: r.unit.Proxy.Routes[0].Attachments, Rules: []*ir.Rule{&swapped},
		}
		if i%2 == 0 {
			r.endpoints(key.EndpointsKey, b)
		} else {
			r.endpoints(key.EndpointsKey, a, b)
		}
		r.must()
		if _, err := fmt.Fprintf(c, "%04d", i); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, page); err != nil || string(page) != fmt.Sprintf("%04d", i) {
			t.Fatalf("after %d swaps: %q, %v", i, page, err)
		}
	}
	if got := get(t, plain(t), "http://"+web+"/"); got.body != "web" {
		t.Errorf("got %v", got)
	}
}

func TestStreamsEndWithTheirListener(t *testing.T) {
	r := newRig(t)
	addr := r.layer4("tcp", ir.TCP, 0)
	r.carry(ir.TCPRoute, "tcp", nil, to(r.backend("echo", ir.BackendTCP, streamBackend(t, "a")))...)
	web := r.listen("web")
	_ = web
	r.must()
	c := dial(t, addr)
	greeting(t, c)
	r.unit.Proxy.Listeners = r.unit.Proxy.Listeners[1:]
	r.must()
	if _, err := io.ReadAll(c); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("got %v, want the connection's end", err)
	}
	if late, err := net.Dial("tcp", addr); err == nil {
		late.Close()
		t.Error("the port still takes connections")
	}
}

func TestIdleStreamsEnd(t *testing.T) {
	r := newRig(t)
	r.unit.Proxy.Settings.Timeouts.StreamIdle = ir.Duration(50 * time.Millisecond)
	addr := r.layer4("tcp", ir.TCP, 0)
	r.carry(ir.TCPRoute, "tcp", nil, to(r.backend("echo", ir.BackendTCP, streamBackend(t, "a")))...)
	r.must()
	c := dial(t, addr)
	greeting(t, c)
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("got %v, want the end", err)
	}
	wait.For(t, "the log to say idle", func() bool { return strings.Contains(r.log.String(), `"flags":"idle"`) })
}

func TestConnectionsOfStreamsAreLimited(t *testing.T) {
	r := newRig(t)
	r.unit.Proxy.Settings.Limits.Connections = 1
	addr := r.layer4("tcp", ir.TCP, 0)
	r.carry(ir.TCPRoute, "tcp", nil, to(r.backend("echo", ir.BackendTCP, streamBackend(t, "a")))...)
	r.must()
	first := dial(t, addr)
	greeting(t, first)
	if name := greeting(t, dial(t, addr)); name != "" {
		t.Errorf("a second connection was greeted by %q", name)
	}
	_ = first.CloseWrite()
	_, _ = io.ReadAll(first)
	wait.For(t, "the place to be free again", func() bool { return greeting(t, dial(t, addr)) == "a" })
}

// handshakeAs opens TLS by a server name, and returns who greets and the
// certificate's name.
func handshakeAs(t testing.TB, addr string, config *tls.Config) (name, certificate string, err error) {
	t.Helper()
	config = config.Clone()
	config.InsecureSkipVerify = true
	c := tls.Client(dial(t, addr), config)
	if err := c.Handshake(); err != nil {
		return "", "", err
	}
	return greeting(t, c), c.ConnectionState().PeerCertificates[0].DNSNames[0], nil
}
