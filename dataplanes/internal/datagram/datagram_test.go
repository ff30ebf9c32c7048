package datagram_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/datagram"
)

const patience = 20 * time.Second

// handler leads every client to what endpoint says now.
type handler struct {
	endpoint atomic.Pointer[netip.AddrPort]
	limit    int
	idle     time.Duration
	keep     atomic.Bool
	dropped  chan string
	ended    chan datagram.Result
}

var _ datagram.Handler = (*handler)(nil)

func (h *handler) Open(netip.AddrPort) (datagram.Target, bool) {
	to := h.endpoint.Load()
	if to == nil {
		return datagram.Target{}, false
	}
	return datagram.Target{
		Endpoint: *to, Idle: h.idle, Keep: h.keep.Load,
		Done: func(r datagram.Result) { h.ended <- r },
	}, true
}

func (h *handler) Limit() int         { return h.limit }
func (h *handler) Dropped(why string) { h.dropped <- why }

func serve(t *testing.T, h *handler) (*datagram.Server, netip.AddrPort) {
	t.Helper()
	h.dropped, h.ended = make(chan string, 100), make(chan datagram.Result, 100)
	probe, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	addr := probe.LocalAddr().(*net.UDPAddr).AddrPort()
	probe.Close()
	s, err := datagram.Listen(addr, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, addr
}

// echo answers every datagram with its name, the sender it sees, and the
// datagram.
func echo(t *testing.T, name string) *netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		page := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(page)
			if err != nil {
				return
			}
			_, _ = conn.WriteToUDPAddrPort(fmt.Appendf(nil, "%s %s %s", name, from, page[:n]), from)
		}
	}()
	addr := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return &addr
}

func client(t *testing.T, to netip.AddrPort) *net.UDPConn {
	t.Helper()
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// ask sends a datagram and returns who answered, whom it saw, and the rest.
func ask(t *testing.T, c *net.UDPConn, text string) (name, seen, rest string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	page := make([]byte, 64<<10)
	n, err := c.Read(page)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(string(page[:n]), " ", 3)
	return parts[0], parts[1], parts[2]
}

func TestEachClientHasASession(t *testing.T) {
	h := &handler{idle: time.Minute}
	h.endpoint.Store(echo(t, "a"))
	s, addr := serve(t, h)
	one, two := client(t, addr), client(t, addr)
	_, first, text := ask(t, one, "x")
	if text != "x" {
		t.Errorf("got %q", text)
	}
	h.endpoint.Store(echo(t, "b"))
	name, again, _ := ask(t, one, "y")
	if name != "a" || again != first {
		t.Errorf("the session went to %s as %s, want a as %s", name, again, first)
	}
	if name, other, _ := ask(t, two, "z"); name != "b" || other == first {
		t.Errorf("the second client went to %s as %s", name, other)
	}
	if n := s.Sessions(); n != 2 {
		t.Errorf("%d sessions, want 2", n)
	}
}

func TestDatagramsKeepTheirEdges(t *testing.T) {
	h := &handler{idle: time.Minute}
	h.endpoint.Store(echo(t, "a"))
	_, addr := serve(t, h)
	c := client(t, addr)
	for _, n := range []int{0, 1, 1400, 9000, 60000} {
		if _, _, rest := ask(t, c, string(bytes.Repeat([]byte{'x'}, n))); len(rest) != n {
			t.Errorf("%d bytes came back as %d", n, len(rest))
		}
	}
}

// TestRepliesComeFromWhereTheClientWrote binds every address, and asks at one
// that the system would not choose by itself.
func TestRepliesComeFromWhereTheClientWrote(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the system does not tell")
	}
	for _, every := range []string{"0.0.0.0:0", "[::]:0"} {
		probe, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(every)))
		if err != nil {
			t.Logf("%s: %v", every, err)
			continue
		}
		port := probe.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		probe.Close()
		h := &handler{idle: time.Minute, dropped: make(chan string, 100), ended: make(chan datagram.Result, 100)}
		h.endpoint.Store(echo(t, "a"))
		s, err := datagram.Listen(netip.AddrPortFrom(netip.MustParseAddrPort(every).Addr(), port), h)
		if err != nil {
			t.Fatal(err)
		}
		c := client(t, netip.AddrPortFrom(netip.MustParseAddr("127.7.7.7"), port))
		if name, _, _ := ask(t, c, "x"); name != "a" {
			t.Errorf("%s: %s answered", every, name)
		}
		s.Close()
	}
}

func TestIdleSessionsEnd(t *testing.T) {
	h := &handler{idle: 30 * time.Millisecond}
	h.endpoint.Store(echo(t, "a"))
	s, addr := serve(t, h)
	c := client(t, addr)
	_, first, _ := ask(t, c, "x")
	if r := <-h.ended; r.End != datagram.Idle || r.ToBackend != 1 || r.ToClient == 0 {
		t.Errorf("result %+v", r)
	}
	if n := s.Sessions(); n != 0 {
		t.Errorf("%d sessions, want none", n)
	}
	if _, again, _ := ask(t, c, "x"); again == first {
		t.Error("the new session has the port of the old one")
	}
}

func TestSessionsAreBounded(t *testing.T) {
	h := &handler{idle: time.Minute, limit: 1}
	h.endpoint.Store(echo(t, "a"))
	_, addr := serve(t, h)
	one, two := client(t, addr), client(t, addr)
	ask(t, one, "x")
	_, _ = two.Write([]byte("y"))
	if why := <-h.dropped; why != "limit" {
		t.Errorf("dropped for %q", why)
	}
	ask(t, one, "still there")
}

func TestEndpointThatRefusesCostsASession(t *testing.T) {
	gone := netip.MustParseAddrPort("127.0.0.1:1")
	h := &handler{idle: time.Minute}
	h.endpoint.Store(&gone)
	_, addr := serve(t, h)
	c := client(t, addr)
	_, _ = c.Write([]byte("lost"))
	if r := <-h.ended; r.End != datagram.Refused {
		t.Errorf("result %+v", r)
	}
	h.endpoint.Store(echo(t, "a"))
	if name, _, _ := ask(t, c, "x"); name != "a" {
		t.Errorf("%s answered", name)
	}
}

func TestRecheckMovesSessions(t *testing.T) {
	h := &handler{idle: time.Minute}
	h.endpoint.Store(echo(t, "a"))
	s, addr := serve(t, h)
	c := client(t, addr)
	ask(t, c, "x")
	h.keep.Store(true)
	h.endpoint.Store(echo(t, "b"))
	s.Recheck()
	if name, _, _ := ask(t, c, "x"); name != "a" {
		t.Errorf("%s answered, want a: the session may go on", name)
	}
	h.keep.Store(false)
	s.Recheck()
	if r := <-h.ended; r.End != datagram.Moved {
		t.Errorf("result %+v", r)
	}
	if name, _, _ := ask(t, c, "x"); name != "b" {
		t.Errorf("%s answered, want b", name)
	}
}

func TestDrainServesWhoIsThere(t *testing.T) {
	h := &handler{idle: 100 * time.Millisecond}
	h.endpoint.Store(echo(t, "a"))
	s, addr := serve(t, h)
	one, two := client(t, addr), client(t, addr)
	ask(t, one, "x")
	drained := make(chan struct{})
	go func() {
		s.Drain(context.Background())
		close(drained)
	}()
	// Until the drain has begun, the second client may still get a session.
	for why := ""; why != "draining" && s.Sessions() < 2; {
		_, _ = two.Write([]byte("y"))
		select {
		case why = <-h.dropped:
		case <-time.After(5 * time.Millisecond):
		}
	}
	select {
	case <-drained:
	case <-time.After(patience):
		t.Fatal("the drain never ended")
	}
}
