package listen_test

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/listen"
	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
	"github.com/sluice-gateway/sluice/ir"
)

// observer counts what it is told.
type observer struct{ opened, closed, refused, failed chan string }

func newObserver() *observer {
	return &observer{make(chan string, 100), make(chan string, 100), make(chan string, 100), make(chan string, 100)}
}

var _ listen.Observer = (*observer)(nil)

func (o *observer) ConnOpened(uint16)                { o.opened <- "" }
func (o *observer) ConnClosed(uint16)                { o.closed <- "" }
func (o *observer) ConnRefused(_ uint16, why string) { o.refused <- why }
func (o *observer) AcceptFailed(uint16, error)       { o.failed <- "" }

// bound applies one port at a free address and returns it.
func bound(t *testing.T, o *observer, port *listen.Port) (*listen.Sockets, netip.AddrPort) {
	t.Helper()
	return guarded(t, o, guard.New(guard.Input{}), port)
}

// guarded is bound, with a guard.
func guarded(t *testing.T, o *observer, g *guard.Guard, port *listen.Port) (*listen.Sockets, netip.AddrPort) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(ln.Addr().String())
	ln.Close()
	s := listen.NewSockets(o, g)
	if failed := s.Apply(map[netip.AddrPort]*listen.Port{addr: port}); len(failed) > 0 {
		t.Fatal(failed)
	}
	t.Cleanup(s.Close)
	return s, addr
}

func TestPortIsReadForEachConnection(t *testing.T) {
	served := make(chan uint16, 2)
	port := func(number uint16) *listen.Port {
		return &listen.Port{Number: number, Serve: func(c net.Conn) {
			carrier, _ := c.(exchange.Carrier)
			served <- carrier.Exchange().Port
			c.Close()
		}}
	}
	s, addr := bound(t, newObserver(), port(1))
	visit(t, addr)
	if got := <-served; got != 1 {
		t.Errorf("port %d, want 1", got)
	}
	s.Apply(map[netip.AddrPort]*listen.Port{addr: port(2)})
	visit(t, addr)
	if got := <-served; got != 2 {
		t.Errorf("port %d, want 2", got)
	}
}

func visit(t *testing.T, addr netip.AddrPort) {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.Copy(io.Discard, c)
}

func TestSilentHandshakeIsGivenUp(t *testing.T) {
	o := newObserver()
	_, addr := bound(t, o, &listen.Port{
		TLS:              func(string) (listen.TLSListener, bool) { return listen.TLSListener{}, false },
		HandshakeTimeout: 20 * time.Millisecond,
		Serve:            func(net.Conn) { t.Error("a connection without a handshake was served") },
	})
	visit(t, addr)
	if why := <-o.refused; why != "handshake" {
		t.Errorf("refused for %q, want handshake", why)
	}
	<-o.closed
}

func TestPlainHTTPWhereTLSIsSpoken(t *testing.T) {
	o := newObserver()
	_, addr := bound(t, o, &listen.Port{
		TLS:   func(string) (listen.TLSListener, bool) { return listen.TLSListener{}, false },
		Serve: func(net.Conn) { t.Error("a connection without a handshake was served") },
	})
	for said, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n": "400 Bad Request",
		"nonsense":                          "",
	} {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = io.WriteString(c, said)
		got, _ := io.ReadAll(c)
		if !strings.Contains(string(got), want) || want == "" && strings.Contains(string(got), "HTTP") {
			t.Errorf("%q is answered with %q", said, got)
		}
		c.Close()
		if why := <-o.refused; why != "handshake" {
			t.Errorf("refused for %q", why)
		}
	}
}

func TestListenerThatCannotBeServed(t *testing.T) {
	key := ir.CertificateKey{Namespace: "ns", Name: "cert"}
	with := func(change func(*listen.TLSInput)) listen.TLSInput {
		in := listen.TLSInput{
			Listener:     &ir.Listener{TLS: &ir.ListenerTLS{Certificates: []ir.CertificateKey{key}}},
			Certificates: map[ir.CertificateKey]*ir.Certificate{key: {Key: key, Chain: "x", PrivateKey: "s3cret"}},
		}
		change(&in)
		return in
	}
	for want, in := range map[string]listen.TLSInput{
		"no TLS settings":             with(func(in *listen.TLSInput) { in.Listener.TLS = nil }),
		"not part of the unit":        with(func(in *listen.TLSInput) { in.Certificates = nil }),
		"has no certificate":          with(func(in *listen.TLSInput) { in.Listener.TLS.Certificates = nil }),
		"ns/cert":                     with(func(*listen.TLSInput) {}),
		"cipher suite \"TLS_RSA_NONE": with(func(in *listen.TLSInput) { in.Settings.Ciphers = []string{"TLS_RSA_NONE"} }),
	} {
		got, err := listen.NewTLSListener(in)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v, want an error with %q", err, want)
		}
		if got.Config != nil {
			t.Errorf("%s: handshakes would be met all the same", want)
		}
	}
}
