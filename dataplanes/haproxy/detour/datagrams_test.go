package detour_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/haproxy/detour"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// echoDatagrams answers each datagram with a word and what it got.
func echoDatagrams(t *testing.T, word string) ir.Endpoint {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			_, _ = conn.WriteToUDPAddrPort(append([]byte(word+" "), buffer[:n]...), from)
		}
	}()
	at := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return ir.Endpoint{Address: at.Addr().String(), Port: at.Port()}
}

// datagrams makes the rig's unit one of a single port of UDP.
func (r *rig) datagrams(endpoint ir.Endpoint, limit int) {
	key := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Namespace: "apps", Service: "dns", Port: 53}, Protocol: ir.BackendUDP}
	origin := ir.Object{Kind: "UDPRoute", Namespace: "apps", Name: "dns"}
	r.unit = &ir.Unit{
		Proxy: &ir.Proxy{
			Owner:     gateway,
			Listeners: []*ir.Listener{{Key: listener, Port: r.port, Protocol: ir.UDP, Hostname: "*"}},
			Backends:  []*ir.Backend{{Key: key}},
			Routes: []*ir.Route{{
				Origin: origin, Kind: ir.UDPRoute, Attachments: []ir.Attachment{{Listener: listener, Hostnames: []string{"*"}}},
				Rules: []*ir.Rule{{Origin: ir.Origin{Object: origin}, Backends: []ir.BackendUse{{Backend: &key, Weight: 1}}}},
			}},
			Settings: ir.Settings{Limits: ir.Limits{DatagramSessions: limit}},
		},
		Endpoints: []*ir.Endpoints{{Key: key.EndpointsKey, Endpoints: []ir.Endpoint{endpoint}}},
	}
}

// apply tells the agent of the unit as it is now.
func (r *rig) apply() []ir.Problem {
	config := translator.Translate(r.unit, translator.Target{Address: loopback}, nil)
	return r.agent.Apply(detour.Input{Unit: r.unit, Detours: config.Detours, Address: loopback})
}

// ask sends a datagram and waits for its answer.
func ask(t *testing.T, conn net.Conn, text string) string {
	t.Helper()
	_, _ = conn.Write([]byte(text))
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	buffer := make([]byte, 1500)
	n, err := conn.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return string(buffer[:n])
}

func (r *rig) client() net.Conn {
	r.t.Helper()
	conn, err := net.Dial("udp", netip.AddrPortFrom(loopback, r.port).String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	return conn
}

// TestDatagrams has a session outlive an edit that does not concern it, end with its
// endpoint, and be counted; more sessions than may be are dropped and counted.
func TestDatagrams(t *testing.T) {
	r := newRig(t)
	r.datagrams(echoDatagrams(t, "one"), 1)
	if problems := r.apply(); len(problems) > 0 {
		t.Fatal(problems)
	}
	client := r.client()
	if got := ask(t, client, "a"); got != "one a" {
		t.Fatalf("got %q", got)
	}
	if _, err := r.client().Write([]byte("too many")); err != nil {
		t.Fatal(err)
	}
	wait.For(t, "the second client's datagram is counted as dropped", func() bool {
		return r.counted("sluice_proxy_datagrams_dropped_total", `reason:"limit"`) == 1
	})
	r.apply()
	if got := ask(t, client, "b"); got != "one b" {
		t.Fatalf("after an edit: %q", got)
	}
	r.unit.Endpoints = []*ir.Endpoints{{Key: r.unit.Endpoints[0].Key, Endpoints: []ir.Endpoint{echoDatagrams(t, "two")}}}
	r.apply()
	if got := ask(t, client, "c"); got != "two c" {
		t.Fatalf("after its endpoint has gone: %q", got)
	}
	wait.For(t, "the session that has ended is counted", func() bool {
		return r.counted("sluice_proxy_streams_total", `reason:"endpoint_gone"`) == 1
	})
}

// TestTakenPort has another program have the port, and leave it.
func TestTakenPort(t *testing.T) {
	r := newRig(t)
	r.datagrams(echoDatagrams(t, "one"), 0)
	other, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, r.port)))
	if err != nil {
		t.Fatal(err)
	}
	problems := r.apply()
	if len(problems) != 1 || problems[0].Origin.Section != listener.Section || !strings.Contains(problems[0].Message, "another program") {
		t.Fatalf("the problems are %v", problems)
	}
	if r.agent.Rebind() {
		t.Error("the port is still taken")
	}
	other.Close()
	if !r.agent.Rebind() || len(r.agent.Problems()) != 0 {
		t.Errorf("the port is free, and there are %v", r.agent.Problems())
	}
	if got := ask(t, r.client(), "a"); got != "one a" {
		t.Errorf("got %q", got)
	}
}
