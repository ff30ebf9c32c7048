package goproxy_test

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/ir"
)

// serveAt starts a backend of HTTP/1.1 and h2c at an address.
func serveAt(t *testing.T, addr, name string) {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }),
		Protocols:         &http.Protocols{},
		ReadHeaderTimeout: patience,
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	go s.Serve(ln) //nolint:errcheck // It ends with http.ErrServerClosed alone.
	t.Cleanup(func() { s.Close() })
}

// ejected is the metric of endpoints that are left out; empty for none.
func (r *rig) ejected(t *testing.T) string {
	t.Helper()
	const name = "sluice_proxy_ejected_endpoints{"
	for line := range strings.Lines(get(t, plain(t), "http://"+r.admin.String()+"/metrics").body) {
		if strings.HasPrefix(line, name) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func TestADeadEndpointIsLeftOutUntilItIsBack(t *testing.T) {
	for _, protocol := range []ir.BackendProtocol{ir.BackendHTTP1, ir.BackendH2C} {
		t.Run(string(protocol), func(t *testing.T) {
			r := newRig(t)
			addr, client := r.listen("http"), plain(t)
			down := dead(t)
			key := r.backend("b", protocol, named(t, "up"), down)
			rules := ir.Ejection{Failures: 3, BaseTime: ir.Duration(time.Hour), MaxTime: ir.Duration(time.Hour), MaxPercent: 50}
			last := len(r.unit.Proxy.Backends) - 1
			r.unit.Proxy.Backends[last] = &ir.Backend{Key: key, Ejection: &rules}
			r.route("http", &ir.Rule{Backends: to(key)})
			r.must()
			for range 20 {
				if got := get(t, client, "http://"+addr+"/"); got.body != "up" {
					t.Fatalf("got %d %q while one endpoint is down, want up", got.status, got.body)
				}
			}
			if got, want := r.ejected(t), `sluice_proxy_ejected_endpoints{backend="apps/b:80"} 1`; got != want {
				t.Fatalf("metric %q, want %q", got, want)
			}
			// Other endpoints and another balancing change nothing about that.
			again := rules
			r.unit.Proxy.Backends[last] = &ir.Backend{Key: key, Ejection: &again, Balancing: ir.Balancing{Algorithm: ir.LeastRequest}}
			r.endpoints(key.EndpointsKey, named(t, "up"), named(t, "up"), down)
			serveAt(t, down, "back")
			r.must()
			for range 20 {
				if got := get(t, client, "http://"+addr+"/"); got.body != "up" {
					t.Fatalf("got %d %q of an ejected endpoint, want up", got.status, got.body)
				}
			}
			// What comes anew is tried anew.
			r.endpoints(key.EndpointsKey, named(t, "up"))
			r.must()
			if got := r.ejected(t); got != "" {
				t.Fatalf("metric %q for an endpoint that has gone", got)
			}
			r.endpoints(key.EndpointsKey, named(t, "up"), down)
			r.must()
			wait.For(t, "an answer of the endpoint that is back", func() bool {
				return get(t, client, "http://"+addr+"/").body == "back"
			})
		})
	}
}

func TestAnEndpointThatIsBackIsFoundOut(t *testing.T) {
	r := newRig(t)
	addr, client := r.listen("http"), plain(t)
	down := dead(t)
	key := r.backend("b", ir.BackendHTTP1, named(t, "up"), down)
	r.unit.Proxy.Backends[len(r.unit.Proxy.Backends)-1] = &ir.Backend{Key: key, Ejection: &ir.Ejection{
		Failures: 1, BaseTime: ir.Duration(time.Millisecond), MaxTime: ir.Duration(8 * time.Millisecond), MaxPercent: 50,
	}}
	r.route("http", &ir.Rule{Backends: to(key)})
	r.must()
	wait.For(t, "the ejection", func() bool {
		if got := get(t, client, "http://"+addr+"/"); got.body != "up" {
			t.Fatalf("got %d %q, want up", got.status, got.body)
		}
		return r.ejected(t) != ""
	})
	serveAt(t, down, "back")
	wait.For(t, "the end of the ejection", func() bool {
		if got := get(t, client, "http://"+addr+"/"); got.status != http.StatusOK {
			t.Fatalf("got %d, want 200", got.status)
		}
		return r.ejected(t) == ""
	})
}

// The two kinds of routes of layer 4 go to a client's endpoint.
func TestStreamsAndSessionsGoByTheClient(t *testing.T) {
	r := newRig(t)
	hash := ir.Balancing{Algorithm: ir.ConsistentHash, Hash: ir.HashKey{Kind: ir.HashClientIP}}
	addr := r.layer4("tcp", ir.TCP, freePort(t))
	key := r.backend("b", ir.BackendTCP, streamBackend(t, "a"), streamBackend(t, "b"), streamBackend(t, "c"))
	r.unit.Proxy.Backends[len(r.unit.Proxy.Backends)-1] = &ir.Backend{Key: key, Balancing: hash}
	r.carry(ir.TCPRoute, "tcp", nil, to(key)...)
	r.must()
	// Addresses of the loopback network are clients of their own.
	seen := map[string]bool{}
	for client := range 16 {
		from := netip.AddrFrom4([4]byte{127, 0, 1, byte(client)})
		var first string
		for range 3 {
			name := greeting(t, dialFrom(t, from, addr))
			if first == "" {
				first = name
			}
			if name != first {
				t.Errorf("client %v met %s and %s", from, first, name)
			}
		}
		seen[first] = true
	}
	if len(seen) < 2 {
		t.Errorf("16 clients met %v alone", seen)
	}
}

func dialFrom(t *testing.T, from netip.Addr, addr string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Skipf("this system has no address %v to connect from: %v", from, err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
