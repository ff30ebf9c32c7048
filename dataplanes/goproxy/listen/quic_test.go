package listen

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/quic-go/quic-go"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
)

// patience bounds every wait.
const patience = 20 * time.Second

// counts is an observer.
type counts struct {
	opened, closed atomic.Int64
	refused        chan string
}

var _ Observer = (*counts)(nil)

func (c *counts) ConnOpened(uint16)                { c.opened.Add(1) }
func (c *counts) ConnClosed(uint16)                { c.closed.Add(1) }
func (c *counts) ConnRefused(_ uint16, why string) { c.refused <- why }

func (c *counts) AcceptFailed(uint16, error) {}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	made := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"a.example"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, made, made, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// quicPort answers for the name a.example, and serves until the client goes.
func quicPort(t *testing.T) *Port {
	t.Helper()
	config := forQUIC(&tls.Config{Certificates: []tls.Certificate{certificate(t)}, MinVersion: tls.VersionTLS13})
	return &Port{
		Number: 443, HandshakeTimeout: patience,
		TLS: func(name string) (TLSListener, bool) { return TLSListener{QUIC: config}, name == "a.example" },
		QUIC: &QUIC{
			Config: func() *quic.Config { return &quic.Config{} },
			Serve:  func(c *quic.Conn, _ *exchange.Conn) { <-c.Context().Done() },
		},
	}
}

func openQUIC(t *testing.T, port *Port) (*quicSocket, *counts) {
	t.Helper()
	return openGuarded(t, port, &guard.Guard{})
}

func openGuarded(t *testing.T, port *Port, g *guard.Guard) (*quicSocket, *counts) {
	t.Helper()
	seen := &counts{refused: make(chan string, 100)}
	sock, err := bindQUIC(freeUDP(t), port, NewSockets(seen, g))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sock.cut)
	return sock, seen
}

func freeUDP(t *testing.T) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return netip.MustParseAddrPort(c.LocalAddr().String())
}

// firstRead notes the first octet that comes.
type firstRead struct {
	net.PacketConn
	octet atomic.Int32
}

func (c *firstRead) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := c.PacketConn.ReadFrom(p)
	if n > 0 {
		c.octet.CompareAndSwap(0, int32(p[0]))
	}
	return n, from, err
}

// dial makes a connection, and says whether the first answer was a Retry (RFC
// 9000, section 17.2.5).
func dial(t *testing.T, sock *quicSocket, name string) (c *quic.Conn, retried bool, err error) {
	t.Helper()
	plain, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	conn := &firstRead{PacketConn: plain}
	transport := &quic.Transport{Conn: conn}
	t.Cleanup(func() {
		transport.Close()
		plain.Close()
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	config := &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"h3"}, MinVersion: tls.VersionTLS13} //nolint:gosec // The test is not about trust.
	c, err = transport.Dial(ctx, net.UDPAddrFromAddrPort(sock.local), config, nil)
	const longRetry = 0xf0
	return c, conn.octet.Load()&longRetry == longRetry, err
}

func refusedBy(err error) quic.TransportErrorCode {
	var refusal *quic.TransportError
	if errors.As(err, &refusal) {
		return refusal.ErrorCode
	}
	return 0
}

// TestManyHandshakesAreMadeToProveTheirAddress, and more are refused.
func TestManyHandshakesAreMadeToProveTheirAddress(t *testing.T) {
	sock, seen := openQUIC(t, quicPort(t))
	for _, c := range []struct {
		underWay int64
		retried  bool
	}{{0, false}, {proveAddress - 1, false}, {proveAddress, true}} {
		sock.handshakes.Store(c.underWay)
		_, retried, err := dial(t, sock, "a.example")
		if err != nil || retried != c.retried {
			t.Errorf("%d handshakes under way: retried %t, %v; want %t", c.underWay, retried, err, c.retried)
		}
		wait.For(t, "the handshake to be done", func() bool { return sock.handshakes.Load() == c.underWay })
	}
	sock.handshakes.Store(mostHandshakes)
	if _, _, err := dial(t, sock, "a.example"); refusedBy(err) != quic.ConnectionRefused {
		t.Errorf("%d handshakes under way: %v, want it refused", mostHandshakes, err)
	}
	if why := <-seen.refused; why != "limit" {
		t.Errorf("refused for %q, want limit", why)
	}
}

// TestFailedHandshakesAreCounted, and take no place for long.
func TestFailedHandshakesAreCounted(t *testing.T) {
	port := quicPort(t)
	port.MaxConnections = 1
	sock, seen := openQUIC(t, port)
	for range 3 {
		if _, _, err := dial(t, sock, "b.example"); refusedBy(err) != 0x100+112 {
			t.Errorf("got %v, want unrecognized_name", err)
		}
		if why := <-seen.refused; why != "handshake" {
			t.Errorf("refused for %q, want handshake", why)
		}
	}
	c, _, err := dial(t, sock, "a.example")
	if err != nil {
		t.Fatal(err)
	}
	wait.For(t, "the connection to be counted", func() bool { return sock.open.Taken() == 1 && seen.opened.Load() == 1 })
	if _, _, err := dial(t, sock, "a.example"); refusedBy(err) != quic.ConnectionRefused {
		t.Errorf("one too many: %v", err)
	}
	_ = c.CloseWithError(0x100, "")
	wait.For(t, "its place to be free", func() bool { return sock.open.Taken() == 0 && seen.closed.Load() == 1 })
	if sock.handshakes.Load() != 0 {
		t.Errorf("%d handshakes are left over", sock.handshakes.Load())
	}
}

// TestConnectionsBeyondTheProcessAreRefused at a port without a limit of its own.
func TestConnectionsBeyondTheProcessAreRefused(t *testing.T) {
	g := guard.New(guard.Input{Descriptors: 3})
	sock, seen := openGuarded(t, quicPort(t), g)
	c, _, err := dial(t, sock, "a.example")
	if err != nil {
		t.Fatal(err)
	}
	wait.For(t, "the connection to take the only place", func() bool { return g.Clients.Taken() == g.Clients.Most() })
	if _, _, err := dial(t, sock, "a.example"); refusedBy(err) != quic.ConnectionRefused {
		t.Errorf("one too many: %v, want it refused", err)
	}
	if why := <-seen.refused; why != "descriptors" {
		t.Errorf("refused for %q, want descriptors", why)
	}
	_ = c.CloseWithError(0x100, "")
	wait.For(t, "its place to be free", func() bool { return g.Clients.Taken() == 0 && sock.open.Taken() == 0 })
}

// TestRetiredSocketsCloseWithTheirLastConnection, unless they are wanted again.
func TestRetiredSocketsCloseWithTheirLastConnection(t *testing.T) {
	sock, _ := openQUIC(t, quicPort(t))
	c, _, err := dial(t, sock, "a.example")
	if err != nil {
		t.Fatal(err)
	}
	wait.For(t, "the connection to be counted", func() bool { return sock.open.Taken() == 1 })
	sock.retire()
	if sock.serves() || sock.gone() {
		t.Errorf("retired with a connection: serves %t, gone %t", sock.serves(), sock.gone())
	}
	if !sock.use(quicPort(t)) || !sock.serves() {
		t.Fatal("it is not taken up again")
	}
	if _, _, err := dial(t, sock, "a.example"); err != nil {
		t.Errorf("taken up again: %v", err)
	}
	sock.retire()
	_ = c.CloseWithError(0x100, "")
	sock.mu.Lock()
	for c := range sock.conns {
		go c.CloseWithError(noError, "") //nolint:errcheck // It may be closed.
	}
	sock.mu.Unlock()
	wait.For(t, "the socket to close", sock.gone)
	if sock.use(quicPort(t)) {
		t.Error("a socket that is closed was taken up again")
	}
}
