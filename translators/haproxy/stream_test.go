package haproxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// streamed runs HAProxy with listeners that lead to backends of their own, each of
// which is an address that somebody listens at.
func streamed(t *testing.T, settings ir.Settings, certificates []*ir.Certificate, to map[*ir.Listener]net.Addr) *Config {
	t.Helper()
	var listeners []*ir.Listener
	for l := range to {
		listeners = append(listeners, l)
	}
	u := doored(t, settings, certificates, listeners...).unit
	u.Proxy.Routes = nil
	for l, at := range to {
		if at == nil {
			continue
		}
		address := netip.MustParseAddrPort(at.String())
		kind := ir.RouteKind(l.Protocol)
		key := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Namespace: "default", Service: "s" + strconv.Itoa(int(address.Port())), Port: 80}, Protocol: ir.BackendTCP}
		u.Proxy.Backends = append(u.Proxy.Backends, &ir.Backend{Key: key})
		u.Endpoints = append(u.Endpoints, &ir.Endpoints{Key: key.EndpointsKey, Endpoints: []ir.Endpoint{{Address: address.Addr().String(), Port: address.Port()}}})
		origin := ir.Object{Kind: string(kind) + "Route", Namespace: "default", Name: l.Key.Section}
		u.Proxy.Routes = append(u.Proxy.Routes, &ir.Route{
			Origin: origin, Kind: kind, Attachments: []ir.Attachment{{Listener: l.Key, Hostnames: []string{l.Hostname}}},
			Rules: []*ir.Rule{{Origin: ir.Origin{Object: origin}, Backends: []ir.BackendUse{{Backend: &key, Weight: 1}}}},
		})
	}
	c := Translate(u, Target{Address: randomAddress(), PortOffset: 20000}, nil)
	served(t, c)
	return c
}

func randomAddress() netip.Addr {
	n := rand.Uint32()
	return netip.AddrFrom4([4]byte{127, byte(n >> 16), byte(n >> 8), byte(n)})
}

// takes hands each connection that comes to a function.
func takes(t *testing.T, serve func(net.Conn)) net.Addr {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				serve(c)
			}()
		}
	}()
	return l.Addr()
}

func passing(hostname string) *ir.Listener {
	l := secure(hostname)
	l.Protocol, l.TLS = ir.TLS, &ir.ListenerTLS{Mode: ir.Passthrough}
	return l
}

func ofTCP(port uint16) *ir.Listener {
	l := secure("*")
	l.Port, l.Protocol, l.TLS, l.Key.Section = port, ir.TCP, nil, "tcp-"+strconv.Itoa(int(port))
	return l
}

// TestHellos holds the reading of hellos against crypto/tls: what it reads leads to
// the backend of its name.
func TestHellos(t *testing.T) {
	says := func(word string) net.Addr { return takes(t, func(c net.Conn) { _, _ = io.WriteString(c, word) }) }
	c := streamed(t, ir.Settings{}, nil, map[*ir.Listener]net.Addr{
		passing("a.example"): says("a"), passing("*.example"): says("wild"), passing("*"): says("rest"),
	})
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // It is to be the same each time.
	good := 0
	for i := range 400 {
		hello := helloFor(t, []string{"a.example", "A.Example", "x.y.example", "other.org", ""}[i%5])
		mutate(r, hello, i)
		name, ok := asCryptoTLS(hello)
		connection := dialed(t, c, 443)
		_, _ = connection.Write(hello)
		_ = connection.(*net.TCPConn).CloseWrite() //nolint:errcheck,forcetypeassert // It is one of TCP.
		got := ends(connection)
		_ = connection.Close()
		if !ok {
			// It looks at more than the name. Nobody may hang.
			continue
		}
		if good++; got != ownerOf(name) {
			t.Errorf("hello %d for %q is led to %q, want %q: %x", i, name, got, ownerOf(name), hello)
		}
	}
	if good < 200 {
		t.Errorf("%d hellos are good: too few", good)
	}
}

// ownerOf is whose a server name is.
func ownerOf(name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	switch {
	case strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 || r == 0 }):
		return "rest"
	case name == "a.example":
		return "a"
	case len(name) > len(".example") && strings.HasSuffix(name, ".example"):
		return "wild"
	default:
		return "rest"
	}
}

// mutate changes some bytes of a hello but for every third, which stays.
func mutate(r *rand.Rand, hello []byte, i int) {
	for range i % 3 {
		hello[r.IntN(len(hello))] = byte(r.IntN(256))
	}
}

// helloFor is the hello of a client that asks for a name.
func helloFor(t *testing.T, name string) []byte {
	t.Helper()
	here, there := net.Pipe()
	go func() {
		_ = tls.Client(there, &tls.Config{ServerName: name, InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}}).HandshakeContext(t.Context()) //nolint:gosec // Nobody answers.
	}()
	defer func() { _ = here.Close() }()
	hello := make([]byte, 4096)
	n, err := here.Read(hello)
	if err != nil {
		t.Fatal(err)
	}
	return hello[:n]
}

// asCryptoTLS is how crypto/tls reads a hello; false where it refuses to.
func asCryptoTLS(hello []byte) (name string, ok bool) {
	errRead := errors.New("read")
	err := tls.Server(script{bytes.NewReader(hello)}, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		name = h.ServerName
		return nil, errRead
	}}).HandshakeContext(context.Background())
	return name, errors.Is(err, errRead)
}

// script is a client that says something and then no more.
type script struct{ io.Reader }

func (script) Write(p []byte) (int, error)      { return len(p), nil }
func (script) Close() error                     { return nil }
func (script) LocalAddr() net.Addr              { return nil }
func (script) RemoteAddr() net.Addr             { return nil }
func (script) SetDeadline(time.Time) error      { return nil }
func (script) SetReadDeadline(time.Time) error  { return nil }
func (script) SetWriteDeadline(time.Time) error { return nil }

// TestStreamsGoBothWays has one direction end before the other, with TLS and without.
func TestStreamsGoBothWays(t *testing.T) {
	cert := issued(t, "cert", "ec")
	ended := secure("*.example", cert)
	ended.Protocol = ir.TLS
	reverses := takes(t, func(c net.Conn) {
		said, err := io.ReadAll(c)
		if err == nil {
			_, _ = io.WriteString(c, "heard "+strconv.Itoa(len(said)))
		}
	})
	c := streamed(t, ir.Settings{}, []*ir.Certificate{cert}, map[*ir.Listener]net.Addr{ended: reverses, ofTCP(9001): reverses})
	for name, connection := range map[string]halved{
		"TCP": dialed(t, c, 9001).(*net.TCPConn), //nolint:errcheck // It is one of TCP.
		// Of more labels than HAProxy's own wildcards cover.
		"TLS": tls.Client(dialed(t, c, 443), &tls.Config{ServerName: "a.b.example", InsecureSkipVerify: true}), //nolint:gosec // It is looked at here.
	} {
		const size = 4 << 20
		if _, err := connection.Write(make([]byte, size)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := connection.CloseWrite(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := ends(connection); got != "heard "+strconv.Itoa(size) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// halved is a connection whose directions end one by one.
type halved interface {
	net.Conn
	CloseWrite() error
}

// TestIdleStreamsEnd closes those on which nothing moves.
func TestIdleStreamsEnd(t *testing.T) {
	cert := issued(t, "cert", "ec")
	ended := secure("end.example", cert)
	ended.Protocol = ir.TLS
	waits := takes(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	c := streamed(t, ir.Settings{Timeouts: ir.ServerTimeouts{StreamIdle: ir.Duration(100 * time.Millisecond)}}, []*ir.Certificate{cert},
		map[*ir.Listener]net.Addr{ended: waits, ofTCP(9001): waits})
	silent := tls.Client(dialed(t, c, 443), &tls.Config{ServerName: "end.example", InsecureSkipVerify: true}) //nolint:gosec // It is looked at here.
	if err := silent.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, connection := range map[string]net.Conn{"TLS": silent, "TCP": dialed(t, c, 9001)} {
		if said := ends(connection); said != "" {
			t.Errorf("%s: %q", name, said)
		}
	}
}

// TestClientsAddresses are those of the client's own connection, through sockets
// inside too, or those that a trusted proxy speaks for.
func TestClientsAddresses(t *testing.T) {
	cert := issued(t, "cert", "ec")
	ended, told := secure("end.example", cert), ofTCP(9001)
	ended.Protocol, ended.SendProxyProtocol, told.SendProxyProtocol = ir.TLS, ir.ProxyProtocolV1, ir.ProxyProtocolV1
	hears := takes(t, func(c net.Conn) {
		line, _ := bufio.NewReader(c).ReadString('\n')
		_, _ = io.WriteString(c, line)
	})
	to := map[*ir.Listener]net.Addr{ended: hears, told: hears}
	for _, trusted := range []bool{false, true} {
		var settings ir.Settings
		if trusted {
			settings.ProxyProtocol = ir.ProxyProtocol{Trusted: []string{"127.0.0.0/8"}, HeaderTimeout: ir.Duration(time.Minute)}
		}
		c := streamed(t, settings, []*ir.Certificate{cert}, to)
		for _, port := range []uint16{443, 9001} {
			connection := dialed(t, c, port)
			client, local := connection.LocalAddr().(*net.TCPAddr), connection.RemoteAddr().(*net.TCPAddr) //nolint:errcheck,forcetypeassert // They are of TCP.
			want := fmt.Sprintf("PROXY TCP4 %s %s %d %d\r\n", client.IP, local.IP, client.Port, local.Port)
			if trusted {
				want = "PROXY TCP4 192.0.2.7 192.0.2.8 1234 443\r\n"
				_, _ = io.WriteString(connection, want)
			}
			if port == 443 {
				connection = tls.Client(connection, &tls.Config{ServerName: "end.example", InsecureSkipVerify: true}) //nolint:gosec // It is looked at here.
				if err := connection.(*tls.Conn).HandshakeContext(t.Context()); err != nil {                          //nolint:errcheck,forcetypeassert // It is one.
					t.Fatal(err)
				}
			}
			if got := ends(connection); got != want {
				t.Errorf("port %d, trusted %v: %q, want %q", port, trusted, got, want)
			}
		}
	}
}
