package listen_test

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/listen"
	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
)

// dial opens a connection that the test closes.
func dial(t *testing.T, addr netip.AddrPort) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// TestClientsBeyondTheDescriptorsAreClosed has more clients than the process may
// have, at a port without a limit of its own.
func TestClientsBeyondTheDescriptorsAreClosed(t *testing.T) {
	g := guard.New(guard.Input{Descriptors: 16})
	o := newObserver()
	served := make(chan net.Conn, 100)
	_, addr := guarded(t, o, g, &listen.Port{Serve: func(c net.Conn) { served <- c }})
	var held []net.Conn
	for range g.Clients.Most() {
		dial(t, addr)
		held = append(held, <-served)
	}
	one := dial(t, addr)
	if _, err := io.ReadAll(one); err != nil {
		t.Errorf("one too many: %v, want an end", err)
	}
	if why := <-o.refused; why != "descriptors" {
		t.Errorf("refused for %q, want descriptors", why)
	}
	held[0].Close()
	dial(t, addr)
	held[0] = <-served
	for _, c := range held {
		c.Close()
	}
	if taken := g.Clients.Taken(); taken != 0 {
		t.Errorf("%d places were not given back", taken)
	}
}

// TestSilentHandshakesLeavePlaces has clients of TLS that say nothing: they take
// their share and not that of others.
func TestSilentHandshakesLeavePlaces(t *testing.T) {
	g := guard.New(guard.Input{Descriptors: 100})
	o := newObserver()
	none := func(string) (listen.TLSListener, bool) { return listen.TLSListener{}, false }
	s, addr := guarded(t, o, g, &listen.Port{TLS: none, Serve: func(c net.Conn) { c.Close() }})
	silent := int(g.Opening.Most())
	var held []net.Conn
	for range silent {
		held = append(held, dial(t, addr))
		<-o.opened
	}
	for tick := time.NewTicker(time.Millisecond); g.Opening.Taken() < int64(silent); {
		<-tick.C
	}
	dial(t, addr)
	if why := <-o.refused; why != "opening" {
		t.Errorf("refused for %q, want opening", why)
	}
	<-o.opened
	<-o.closed
	plain := &listen.Port{Serve: func(c net.Conn) { c.Close() }}
	s.Apply(map[netip.AddrPort]*listen.Port{addr: plain})
	visit(t, addr)
	for _, c := range held {
		c.Close()
	}
	for range silent {
		if why := <-o.refused; why != "handshake" {
			t.Errorf("a silent one was refused for %q", why)
		}
	}
}
