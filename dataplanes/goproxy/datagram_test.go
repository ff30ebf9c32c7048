package goproxy_test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/ir"
)

// datagramBackend answers each datagram with its name, the sender that it sees
// and the datagram.
func datagramBackend(t testing.TB, name string) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		for page := make([]byte, 64<<10); ; {
			n, from, err := conn.ReadFrom(page)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(fmt.Appendf(nil, "%s %s %s", name, from, page[:n]), from)
		}
	}()
	return conn.LocalAddr().String()
}

func datagramClient(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// answered sends a datagram and returns who answered and whom it saw.
func answered(t testing.TB, c net.Conn, text string) (name, seen string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	page := make([]byte, 1<<10)
	n, err := c.Read(page)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(string(page[:n]), " ", 3)
	if parts[2] != text {
		t.Fatalf("sent %q, %q came back", text, parts[2])
	}
	return parts[0], parts[1]
}

func (r *rig) metrics(t *testing.T) string {
	t.Helper()
	return get(t, plain(t), "http://"+r.admin.String()+"/metrics").body
}

// udpRig is a rig with one UDP listener that shares its number with HTTP.
func udpRig(t *testing.T, endpoints ...string) (r *rig, addr string, key ir.BackendKey) {
	t.Helper()
	r = newRig(t)
	web := r.listen("web")
	r.route("web", &ir.Rule{Backends: to(r.backend("web", ir.BackendHTTP1, named(t, "web")))})
	port := netip.MustParseAddrPort(web).Port()
	addr = r.layer4("udp", ir.UDP, port)
	key = r.backend("dns", ir.BackendUDP, endpoints...)
	r.carry(ir.UDPRoute, "udp", nil, to(key)...)
	r.must()
	return r, addr, key
}

// TestSessionsOutliveTables swaps a hundred tables and endpoints under sessions.
func TestSessionsOutliveTables(t *testing.T) {
	a, b := datagramBackend(t, "a"), datagramBackend(t, "b")
	r, addr, key := udpRig(t, a)
	c := datagramClient(t, addr)
	_, first := answered(t, c, "begin")
	for i := range 100 {
		if i%2 == 0 {
			r.endpoints(key.EndpointsKey, b, a)
		} else {
			r.endpoints(key.EndpointsKey, a)
		}
		r.must()
		if name, seen := answered(t, c, fmt.Sprint(i)); name != "a" || seen != first {
			t.Fatalf("after %d swaps %s answered %s, want a and %s", i, name, seen, first)
		}
	}
	r.endpoints(key.EndpointsKey, b)
	r.must()
	if name, _ := answered(t, c, "moved"); name != "b" {
		t.Errorf("%s answered, want b: a is no endpoint any more", name)
	}
	if got := get(t, plain(t), "http://"+addr+"/"); got.body != "web" {
		t.Errorf("TCP on the same port: got %v", got)
	}
	wait.For(t, "the session in the log", func() bool {
		return strings.Contains(r.log.String(), `"protocol":"UDP"`) && strings.Contains(r.log.String(), `"flags":"endpoint_gone"`)
	})
}

func TestSessionsAreWeightedAndLimited(t *testing.T) {
	r, addr, _ := udpRig(t, datagramBackend(t, "a"))
	uses := to(r.backend("x", ir.BackendUDP, datagramBackend(t, "x")), r.backend("y", ir.BackendUDP, datagramBackend(t, "y")))
	uses[0].Weight = 3
	route := *r.unit.Proxy.Routes[1]
	route.Rules = []*ir.Rule{{Origin: route.Rules[0].Origin, Backends: uses}}
	r.unit.Proxy.Routes[1] = &route
	r.unit.Proxy.Settings.Limits.DatagramSessions = 200
	r.must()
	counts := map[string]int{}
	for range 200 {
		name, _ := answered(t, datagramClient(t, addr), "x")
		counts[name]++
	}
	if counts["x"] < 110 || counts["x"] > 185 || counts["x"]+counts["y"] != 200 {
		t.Errorf("shares %v, want 150 and 50", counts)
	}
	late := datagramClient(t, addr)
	_, _ = late.Write([]byte("x"))
	wait.For(t, "the limit to be counted", func() bool {
		return strings.Contains(r.metrics(t), `datagrams_dropped_total{port="`+strings.Split(addr, ":")[1]+`",reason="limit"} 1`)
	})
}

func TestIdleSessionsAreLogged(t *testing.T) {
	r, addr, _ := udpRig(t, datagramBackend(t, "a"))
	r.unit.Proxy.Settings.Timeouts.DatagramIdle = ir.Duration(30 * time.Millisecond)
	r.must()
	answered(t, datagramClient(t, addr), "x")
	wait.For(t, "the session in the log and the metrics", func() bool {
		return strings.Contains(r.log.String(), `"protocol":"UDP"`) && strings.Contains(r.log.String(), `"bytes_in":1`) &&
			strings.Contains(r.metrics(t), `streams_total{listener="infra/gw/udp",reason="done",route="UDPRoute/apps/route-1"} 1`)
	})
}

func TestPortOfDatagramsThatIsTaken(t *testing.T) {
	r, _, _ := udpRig(t)
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := taken.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	r.layer4("late", ir.UDP, port)
	if o := r.apply(); len(o.Problems) != 1 || o.Problems[0].Origin.Section != "late" {
		t.Fatalf("problems %v, want one of the listener", o.Problems)
	}
	taken.Close()
	wait.For(t, "the port to be bound", func() bool {
		select {
		case o := <-r.local.Outcomes():
			return len(o.Problems) == 0
		default:
			return false
		}
	})
}

// TestSessionsEndWithTheProxy drains one session while the proxy stops.
func TestSessionsEndWithTheProxy(t *testing.T) {
	r, addr, _ := udpRig(t, datagramBackend(t, "a"))
	c := datagramClient(t, addr)
	answered(t, c, "x")
	r.unit.Proxy.Settings.Timeouts.Drain = ir.Duration(50 * time.Millisecond)
	r.must()
	r.stop()
	for range r.local.Outcomes() { //nolint:revive // Drained until closed.
	}
	if !strings.Contains(r.log.String(), `"flags":"stopped"`) {
		t.Errorf("the log has %q", r.log.String())
	}
}
