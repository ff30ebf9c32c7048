package goproxy_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/ir"
)

// tlsListener adds a listener of TLS, and a route to a backend for its hostname.
func (r *tlsRig) tlsListener(name, hostname string, mode ir.TLSMode, backend ir.BackendKey) *ir.Listener {
	l := &ir.Listener{Key: listenerKey(name), Port: r.port, Protocol: ir.TLS, Hostname: hostname, TLS: &ir.ListenerTLS{Mode: mode}}
	if mode == ir.Terminate {
		c := r.ca.issue(name, hostname)
		l.TLS.Certificates = []ir.CertificateKey{c.Key}
		r.certificate(c)
	}
	r.unit.Proxy.Listeners = append(r.unit.Proxy.Listeners, l)
	r.carry(ir.TLSRoute, name, []string{hostname}, to(backend)...)
	return l
}

// tlsBackend is a stream backend that speaks TLS by itself.
func (r *tlsRig) tlsBackend(name, host string) string {
	r.t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair(r.t.(*testing.T), r.ca.issue("backend-"+name, host))}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { ln.Close() })
	go echoAll(ln, name)
	return ln.Addr().String()
}

func TestModesOfTLSShareAPort(t *testing.T) {
	r := newTLSRig(t)
	r.tlsListener("pass", "pass.example", ir.Passthrough, r.backend("pass", ir.BackendTCP, r.tlsBackend("passed", "backend.example")))
	r.tlsListener("passwild", "*.pass.example", ir.Passthrough, r.backend("passwild", ir.BackendTCP, r.tlsBackend("wild", "wild.example")))
	r.tlsListener("end", "end.example", ir.Terminate, r.backend("end", ir.BackendTCP, streamBackend(t, "ended")))
	r.https("web", "web.example", r.ca.issue("web", "web.example"))
	r.must()
	for sni, want := range map[string][2]string{
		"pass.example": {"passed", "backend.example"}, "PASS.Example": {"passed", "backend.example"},
		"a.b.pass.example": {"wild", "wild.example"}, "end.example": {"ended", "end.example"},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			name, certificate, err := handshakeAs(t, r.addr(), &tls.Config{ServerName: sni, MaxVersion: version})
			if err != nil || name != want[0] || certificate != want[1] {
				t.Errorf("%s: %q with the certificate of %q, %v; want %v", sni, name, certificate, err, want)
			}
		}
	}
	if got := get(t, r.client("web.example"), "https://web.example/"); got.body != "web" || got.proto != 2 {
		t.Errorf("HTTPS beside TLS: got %+v", got)
	}
	for _, sni := range []string{"", "example", "other.example", "b.end.example"} {
		name, _, err := handshakeAs(t, r.addr(), &tls.Config{ServerName: sni})
		// Not an alert: that is an answer, and nobody here may give one.
		if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("SNI %q, which no listener covers: let in to %q, %v; want a connection that is closed", sni, name, err)
		}
	}
}

// TestPassthroughNeverMeetsHTTP asks for the host of a passthrough listener on a
// connection of HTTPS.
func TestPassthroughNeverMeetsHTTP(t *testing.T) {
	r := newTLSRig(t)
	r.tlsListener("pass", "pass.example", ir.Passthrough, r.backend("pass", ir.BackendTCP, r.tlsBackend("passed", "backend.example")))
	r.https("web", "*.example", r.ca.issue("web", "*.example"))
	r.must()
	req, _ := http.NewRequest(http.MethodGet, "https://web.example/", nil)
	req.Host = "pass.example"
	if got := do(t, r.client("web.example"), req); got.status != http.StatusMisdirectedRequest {
		t.Errorf("got %d, want 421", got.status)
	}
}

func TestHelloInFragments(t *testing.T) {
	r := newTLSRig(t)
	r.tlsListener("pass", "pass.example", ir.Passthrough, r.backend("pass", ir.BackendTCP, r.tlsBackend("passed", "backend.example")))
	r.tlsListener("end", "end.example", ir.Terminate, r.backend("end", ir.BackendTCP, streamBackend(t, "ended")))
	r.must()
	for sni, want := range map[string]string{"pass.example": "passed", "end.example": "ended"} {
		c := tls.Client(&slowly{TCPConn: dial(t, r.addr())}, &tls.Config{ServerName: sni, InsecureSkipVerify: true})
		if err := c.Handshake(); err != nil {
			t.Errorf("%s: %v", sni, err)
			continue
		}
		if name := greeting(t, c); name != want {
			t.Errorf("%s: greeted by %q", sni, name)
		}
	}
}

// slowly writes the first record byte by byte, each in a record and a segment of
// its own.
type slowly struct {
	*net.TCPConn
	began bool
}

func (s *slowly) Write(p []byte) (int, error) {
	if s.began {
		return s.TCPConn.Write(p)
	}
	s.began = true
	_ = s.SetNoDelay(true)
	for _, b := range p[5:] {
		for _, one := range []byte{22, 3, 1, 0, 1, b} {
			if _, err := s.TCPConn.Write([]byte{one}); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

func TestPassthroughIsWhole(t *testing.T) {
	r := newTLSRig(t)
	r.tlsListener("pass", "pass.example", ir.Passthrough, r.backend("pass", ir.BackendTCP, r.tlsBackend("passed", "backend.example")))
	r.must()
	c := tls.Client(dial(t, r.addr()), &tls.Config{ServerName: "pass.example", InsecureSkipVerify: true})
	greeting(t, c)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 2<<20)
	go func() { _, _ = c.Write(sent); _ = c.CloseWrite() }()
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d of %d bytes came back, %v", len(got), len(sent), err)
	}
	c.Close()
	wait.For(t, "a line in the log", func() bool {
		return strings.Contains(r.log.String(), `"host":"pass.example"`) && strings.Contains(r.log.String(), `"protocol":"TLS"`)
	})
}

func TestWhatIsNoTLSIsClosed(t *testing.T) {
	r := newTLSRig(t)
	r.tlsListener("pass", "*", ir.Passthrough, r.backend("pass", ir.BackendTCP, streamBackend(t, "never")))
	r.must()
	c := dial(t, r.addr())
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: pass.example\r\n\r\n")
	if name := greeting(t, c); name != "" {
		t.Errorf("greeted by %q", name)
	}
}

// TestCatchAllTakesNoSNI is passed on only where a listener covers every host.
func TestCatchAllTakesNoSNI(t *testing.T) {
	r := newTLSRig(t)
	r.tlsListener("pass", "*", ir.Passthrough, r.backend("pass", ir.BackendTCP, r.tlsBackend("passed", "backend.example")))
	r.must()
	for _, sni := range []string{"", "any.example"} {
		if name, _, err := handshakeAs(t, r.addr(), &tls.Config{ServerName: sni}); err != nil || name != "passed" {
			t.Errorf("SNI %q: %q, %v", sni, name, err)
		}
	}
}

func TestDecryptedStreamToABackendOfTLS(t *testing.T) {
	r := newTLSRig(t)
	for name, host := range map[string]string{"right": "backend.example", "wrong": "other.example"} {
		key := r.backend(name, ir.BackendTLSStream, r.tlsBackend(name, "backend.example"))
		b := *r.unit.Proxy.Backends[len(r.unit.Proxy.Backends)-1]
		b.TLS = &ir.BackendTLS{Hostname: host, CAs: r.ca.pem()}
		r.unit.Proxy.Backends[len(r.unit.Proxy.Backends)-1] = &b
		r.tlsListener(name, name+".example", ir.Terminate, key)
	}
	r.must()
	if name, _, err := handshakeAs(t, r.addr(), &tls.Config{ServerName: "right.example"}); err != nil || name != "right" {
		t.Errorf("got %q, %v", name, err)
	}
	if name, _, err := handshakeAs(t, r.addr(), &tls.Config{ServerName: "wrong.example"}); err != nil || name != "" {
		t.Errorf("a backend that did not verify: got %q, %v", name, err)
	}
}

// TestDecryptedStreamOffersNoProtocol shows that ALPN of requests is not offered
// where nothing on the connection is a request.
func TestDecryptedStreamOffersNoProtocol(t *testing.T) {
	r := newTLSRig(t)
	r.tlsListener("end", "end.example", ir.Terminate, r.backend("end", ir.BackendTCP, streamBackend(t, "ended")))
	r.must()
	c := tls.Client(dial(t, r.addr()), &tls.Config{ServerName: "end.example", InsecureSkipVerify: true, NextProtos: []string{"h2", "postgresql"}})
	if err := c.Handshake(); err != nil || c.ConnectionState().NegotiatedProtocol != "" {
		t.Errorf("%q, %v; want no protocol", c.ConnectionState().NegotiatedProtocol, err)
	}
}

// TestChangeOfModeIsInForceAtOnce turns a listener from one mode into the other
// and back.
func TestChangeOfModeIsInForceAtOnce(t *testing.T) {
	r := newTLSRig(t)
	l := r.tlsListener("x", "x.example", ir.Terminate, r.backend("x", ir.BackendTCP, r.tlsBackend("itself", "backend.example")))
	passing := *l
	passing.TLS = &ir.ListenerTLS{Mode: ir.Passthrough}
	for range 3 {
		r.replace(&passing)
		r.must()
		if _, certificate, err := handshakeAs(t, r.addr(), &tls.Config{ServerName: "x.example"}); err != nil || certificate != "backend.example" {
			t.Errorf("passed on: certificate of %q, %v", certificate, err)
		}
		r.replace(l)
		r.must()
		c := tls.Client(dial(t, r.addr()), &tls.Config{ServerName: "x.example", InsecureSkipVerify: true})
		if err := c.Handshake(); err != nil || c.ConnectionState().PeerCertificates[0].DNSNames[0] != "x.example" {
			t.Errorf("ended: %v", err)
		}
	}
}

// TestListenerWithoutSettingsKeepsItsName puts a listener of TLS that cannot be
// served beside a wider one, which must not get its clients.
func TestListenerWithoutSettingsKeepsItsName(t *testing.T) {
	for _, mode := range []ir.TLSMode{ir.Passthrough, ir.Terminate} {
		r := newTLSRig(t)
		r.tlsListener("wide", "*.example", mode, r.backend("wide", ir.BackendTCP, r.tlsBackend("wide", "wide.example")))
		r.unit.Proxy.Listeners = append(r.unit.Proxy.Listeners, &ir.Listener{
			Key: listenerKey("closed"), Port: r.port, Protocol: ir.TLS, Hostname: "closed.example",
		})
		r.must()
		if name, _, err := handshakeAs(t, r.addr(), &tls.Config{ServerName: "closed.example"}); err == nil {
			t.Errorf("%s: let in to %q", mode, name)
		}
		if _, _, err := handshakeAs(t, r.addr(), &tls.Config{ServerName: "open.example"}); err != nil && mode == ir.Passthrough {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

// TestRefusedListenersOfTLSKeepTheirNames puts refused listeners before served
// ones of another protocol, which must not lend them theirs.
func TestRefusedListenersOfTLSKeepTheirNames(t *testing.T) {
	for _, protocol := range []ir.Protocol{ir.TLS, ir.HTTPS} {
		r := newTLSRig(t)
		r.unit.Proxy.Listeners = append(r.unit.Proxy.Listeners, &ir.Listener{
			Key: listenerKey("closed"), Port: r.port, Protocol: protocol, Hostname: "closed.example", Refused: "there is no certificate",
		})
		r.tlsListener("pass", "*.example", ir.Passthrough, r.backend("pass", ir.BackendTCP, r.tlsBackend("passed", "backend.example")))
		r.https("web", "web.example", r.ca.issue("web", "web.example"))
		r.must()
		if name, _, err := handshakeAs(t, r.addr(), &tls.Config{ServerName: "closed.example"}); err == nil {
			t.Errorf("%s: let in to %q", protocol, name)
		}
		if name, _, err := handshakeAs(t, r.addr(), &tls.Config{ServerName: "open.example"}); err != nil || name != "passed" {
			t.Errorf("%s: beside it: %q, %v", protocol, name, err)
		}
		if got := get(t, r.client("web.example"), "https://web.example/"); got.body != "web" {
			t.Errorf("%s: HTTPS beside it: %+v", protocol, got)
		}
	}
}

// TestStallsAreOfRequests has a client of a stream take nothing for longer than
// two clients of requests are waited for.
func TestStallsAreOfRequests(t *testing.T) {
	const size = 32 << 20
	r := newTLSRig(t)
	r.unit.Proxy.Settings.Timeouts.Stall = ir.Duration(100 * time.Millisecond)
	r.tlsListener("end", "end.example", ir.Terminate, r.backend("end", ir.BackendTCP, flood(t, size)))
	cut := make(chan error, 2)
	web := r.listen("web")
	r.route("web", &ir.Rule{Backends: to(r.backend("endless", ir.BackendHTTP1, endless(t, cut)))})
	r.must()
	c := tls.Client(dial(t, r.addr()), &tls.Config{ServerName: "end.example", InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		fmt.Fprintf(dial(t, web), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-cut
	}
	if n, err := io.Copy(io.Discard, c); n != size || err != nil {
		t.Errorf("%d of %d bytes, %v", n, size, err)
	}
}

// flood accepts connections and sends as much on each.
func flood(t *testing.T, size int) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = c.Write(make([]byte, size))
			}()
		}
	}()
	return ln.Addr().String()
}
