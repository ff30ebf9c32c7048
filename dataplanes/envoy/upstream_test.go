package envoy_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/test/load"
)

// TestEndpointsComeAndGo replaces all endpoints of a backend again and again. Those
// that have gone end as servers do: what is under way is answered, and idle
// connections are closed at once.
func TestEndpointsComeAndGo(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	key := r.Backend("a")
	r.Route("http", "/", &ir.Rule{Backends: rig.To(key)})
	servers := []*httptest.Server{greeter(), greeter()}
	point := func() {
		r.Endpoints(key.EndpointsKey, servers[0].Listener.Addr().String(), servers[1].Listener.Addr().String())
		r.Must()
	}
	point()
	clients := load.Clients(load.Targets{Plain: addr, Host: "a.example", Path: "/"}, nil)
	halt := load.Start(t.Context(), clients)
	for range 50 {
		gone := servers
		servers = []*httptest.Server{greeter(), greeter()}
		point()
		for _, s := range gone {
			_ = s.Config.Shutdown(context.WithoutCancel(t.Context()))
			s.Close()
		}
		more(t, clients, 3)
	}
	halt()
	for _, s := range servers {
		s.Close()
	}
	t.Log(load.Counts(clients))
	if err := load.Err(clients); err != nil {
		t.Error(err)
	}
}

// more waits until each client has sent so many requests more.
func more(t *testing.T, clients []*load.Client, n int64) {
	t.Helper()
	for _, c := range clients {
		until := c.Requests() + n
		wait.For(t, "requests of "+c.Name, func() bool { return c.Requests() >= until })
	}
}

func greeter() *httptest.Server { return httptest.NewServer(hello) }

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })

// TestManyEndpoints puts a thousand endpoints in the place of a thousand others,
// under each way of balancing.
func TestManyEndpoints(t *testing.T) {
	for _, algorithm := range []ir.BalancingAlgorithm{ir.RoundRobin, ir.LeastRequest, ir.ConsistentHash} {
		t.Run(string(algorithm), func(t *testing.T) {
			r := newRig(t, dataplanes.Options{})
			addr := r.Listen("http")
			port := everywhere(t)
			key := r.Backend("a", addresses(1, 1000, port)...)
			b := &r.Unit.Proxy.Backends[0].Balancing
			b.Algorithm = algorithm
			if algorithm == ir.ConsistentHash {
				b.Hash = ir.HashKey{Kind: ir.HashClientIP}
			}
			r.Route("http", "/", &ir.Rule{Backends: rig.To(key)})
			r.Must()
			for i := range 3 {
				rig.WantAnswer(t, addr, http.StatusOK, "hello")
				r.Endpoints(key.EndpointsKey, addresses(i+2, 1000, port)...)
				r.Must()
			}
			rig.WantAnswer(t, addr, http.StatusOK, "hello")
			r.Endpoints(key.EndpointsKey)
			r.Must()
			rig.AwaitAnswer(t, addr, http.StatusServiceUnavailable)
		})
	}
}

// everywhere serves at every address of this machine, and returns the port.
func everywhere(t *testing.T) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: hello, ReadHeaderTimeout: rig.Patience}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
	return netip.MustParseAddrPort(l.Addr().String()).Port()
}

// addresses are n of a loopback network.
func addresses(network, n int, port uint16) []string {
	all := make([]string, 0, n)
	for i := range n {
		all = append(all, fmt.Sprintf("127.%d.%d.%d:%d", network, 1+i/200, 1+i%200, port))
	}
	return all
}

func TestEndpointsOfIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("skipped: there is no IPv6: " + err.Error())
	}
	s := &http.Server{Handler: hello, ReadHeaderTimeout: rig.Patience}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	key := r.Backend("a", l.Addr().String())
	r.Route("http", "/", &ir.Rule{Backends: rig.To(key)})
	// An address that is none costs none of the others.
	r.Unit.Endpoints[0].Endpoints = append(r.Unit.Endpoints[0].Endpoints, ir.Endpoint{Address: "nowhere", Port: 80})
	r.Must()
	for range 10 {
		rig.WantAnswer(t, addr, http.StatusOK, "hello")
	}
}

// TestABackendThatClosesIdleConnections asks just when its backend may be closing
// what it keeps.
func TestABackendThatClosesIdleConnections(t *testing.T) {
	s := httptest.NewUnstartedServer(hello)
	s.Config.IdleTimeout = load.Every
	s.Start()
	t.Cleanup(s.Close)
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	r.Route("http", "/", &ir.Rule{Backends: rig.To(r.Backend("a", s.Listener.Addr().String()))})
	r.Must()
	clients := load.Clients(load.Targets{Plain: addr, Host: "a.example", Path: "/"}, nil)
	halt := load.Start(t.Context(), clients)
	more(t, clients, 1000)
	halt()
	if err := load.Err(clients); err != nil {
		t.Error(err)
	}
}

// streamRig is a rig with a listener of TCP or UDP that leads to endpoints.
func streamRig(t *testing.T, protocol ir.Protocol, endpoints ...string) (r *plane, addr string, key ir.BackendKey) {
	t.Helper()
	r = newRig(t, dataplanes.Options{})
	port := rig.FreePort(t)
	r.Unit.Proxy.Listeners = []*ir.Listener{{Key: rig.ListenerKey("l4"), Port: port, Protocol: protocol, Hostname: "*"}}
	key = r.Backend("l4", endpoints...)
	key.Protocol = ir.BackendProtocol(strings.ToLower(string(protocol)))
	r.Unit.Proxy.Backends[0].Key = key
	origin := ir.Object{Kind: string(protocol) + "Route", Namespace: "apps", Name: "l4"}
	r.Unit.Proxy.Routes = []*ir.Route{{
		Origin: origin, Kind: ir.RouteKind(protocol), Created: time.Unix(1e9, 0),
		Attachments: []ir.Attachment{{Listener: rig.ListenerKey("l4")}},
		Rules:       []*ir.Rule{{Origin: ir.Origin{Object: origin}, Backends: rig.To(key)}},
	}}
	return r, fmt.Sprintf("127.0.0.1:%d", port), key
}

// TestStreamsThatAreIdleEnd ends a connection on which nothing moves, and neither
// one on which something does nor one that has half ended.
func TestStreamsThatAreIdleEnd(t *testing.T) {
	r, addr, _ := streamRig(t, ir.TCP, echoing(t))
	r.Unit.Proxy.Settings.Timeouts.StreamIdle = ir.Duration(time.Second)
	r.Must()
	idle, busy := from(t, rig.Loopback, addr, "a"), from(t, rig.Loopback, addr, "a")
	page := make([]byte, 1)
	began := time.Now()
	for time.Since(began) < 2*time.Second {
		if _, err := busy.Read(page); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(busy, "b")
		<-time.After(50 * time.Millisecond)
	}
	if text, err := io.ReadAll(idle); err != nil || string(text) != "a" {
		t.Errorf("the idle connection ends with %q, %v", text, err)
	}
	if err := busy.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(busy); err != nil || string(rest) != "b" {
		t.Errorf("what was under way comes as %q, %v", rest, err)
	}
}

// echoing sends back what it gets, until that ends.
func echoing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

// TestSessionsAreBound drops the datagrams of one client more, until another's
// session has ended.
func TestSessionsAreBound(t *testing.T) {
	r, addr, _ := streamRig(t, ir.UDP, answering(t))
	r.Unit.Proxy.Settings.Limits.DatagramSessions = 2
	r.Unit.Proxy.Settings.Timeouts.DatagramIdle = ir.Duration(2 * time.Second)
	r.Must()
	first, second, third := dialUDP(t, addr), dialUDP(t, addr), dialUDP(t, addr)
	for _, c := range []net.Conn{first, second} {
		if !answered(c) {
			t.Error("a session is refused")
		}
	}
	if answered(third) {
		t.Error("a session more than the bound is let in")
	}
	wait.For(t, "room for another session", func() bool { return answered(third) })
}

// answering sends datagrams back.
func answering(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		for page := make([]byte, 1500); ; {
			n, client, err := c.ReadFrom(page)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(page[:n], client)
		}
	}()
	return c.LocalAddr().String()
}

func dialUDP(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// answered says whether a datagram comes back soon.
func answered(c net.Conn) bool {
	_ = c.SetDeadline(time.Now().Add(500 * time.Millisecond))
	fmt.Fprint(c, "x")
	_, err := c.Read(make([]byte, 10))
	return err == nil
}

// secureGreeter is for example.com, and vouches for itself.
func secureGreeter(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(hello)
	// Failed handshakes are what the tests are about.
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// TestTheSystemsAuthorities verifies backends with what the system trusts.
func TestTheSystemsAuthorities(t *testing.T) {
	s := secureGreeter(t)
	bundle := filepath.Join(t.TempDir(), "cas.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(bundle, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", bundle)
	t.Setenv("SSL_CERT_DIR", t.TempDir())
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	for i, hostname := range []string{"example.com", "other.example"} {
		key := r.Backend(hostname, s.Listener.Addr().String())
		r.Unit.Proxy.Backends[i].TLS = &ir.BackendTLS{Hostname: hostname, SystemCAs: true}
		r.Route("http", "/"+hostname, &ir.Rule{Backends: rig.To(key)})
	}
	r.Must()
	rig.WantAnswer(t, addr+"/example.com", http.StatusOK, "hello")
	rig.WantAnswer(t, addr+"/other.example", http.StatusServiceUnavailable, "")
}

// TestAGarbledBundle takes what of a bundle is a certificate.
func TestAGarbledBundle(t *testing.T) {
	s := secureGreeter(t)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	broken := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no certificate")})
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	for i, bundle := range []string{"# ours\n" + string(broken) + string(text) + "the end", string(broken), "nothing"} {
		key := r.Backend(fmt.Sprint(i), s.Listener.Addr().String())
		r.Unit.Proxy.Backends[i].TLS = &ir.BackendTLS{Hostname: "example.com", CAs: bundle}
		r.Route("http", fmt.Sprintf("/%d", i), &ir.Rule{Backends: rig.To(key)})
	}
	r.Must()
	rig.WantAnswer(t, addr+"/0", http.StatusOK, "hello")
	rig.WantAnswer(t, addr+"/1", http.StatusServiceUnavailable, "")
	rig.WantAnswer(t, addr+"/2", http.StatusServiceUnavailable, "")
}
