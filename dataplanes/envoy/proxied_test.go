package envoy_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
)

// trusting takes PROXY headers of the friend.
func (r *tlsRig) trusting(ports ...uint16) {
	r.Unit.Proxy.Settings.ProxyProtocol = ir.ProxyProtocol{
		Trusted: []string{"127.0.0.5/32"}, Ports: ports, HeaderTimeout: ir.Duration(rig.Patience),
	}
}

// overTLS makes a handshake first.
func overTLS(r *tlsRig, c net.Conn, sni string) string {
	s := tls.Client(c, &tls.Config{ServerName: sni, RootCAs: r.ca.pool()})
	if err := s.HandshakeContext(r.T.(*testing.T).Context()); err != nil {
		return "no handshake"
	}
	return said(s)
}

// tellingAddress answers the address that X-Forwarded-For ends with.
func tellingAddress(w http.ResponseWriter, q *http.Request) {
	all := strings.Split(q.Header.Get("X-Forwarded-For"), ",")
	fmt.Fprint(w, strings.TrimSpace(all[len(all)-1]))
}

const (
	header4 = "PROXY TCP4 192.0.2.7 192.0.2.8 1234 80\r\n"
	header6 = "PROXY TCP6 2001:db8::7 2001:db8::8 1234 80\r\n"
	binary4 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x09\xc0\x00\x02\x08\x04\xd2\x00\x50"
	own     = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
)

// TestProxyHeaders has friends and strangers connect, with and without a header, to
// ports of every protocol.
func TestProxyHeaders(t *testing.T) {
	r := newTLSRig(t)
	r.https("wild", "*.example", r.ca.issue("wild", "*.example"))
	r.https("all", "*", r.ca.issue("all", "anything"))
	plain := r.Listen("plain")
	key := r.Backend("telling", rig.Serve(t, tellingAddress))
	for _, route := range r.Unit.Proxy.Routes {
		route.Rules[0].Backends = rig.To(key)
	}
	r.Route("plain", "/", &ir.Rule{Backends: rig.To(key)})
	r.trusting()
	r.Must()
	for _, c := range []struct {
		who                 netip.Addr
		header, plain, wild string
	}{
		{friend, header4, "192.0.2.7", "192.0.2.7"},
		{friend, header6, "2001:db8::7", "2001:db8::7"},
		{friend, binary4, "192.0.2.9", "192.0.2.9"},
		{friend, own, "127.0.0.5", "127.0.0.5"},
		{friend, "PROXY UNKNOWN\r\n", "127.0.0.5", "127.0.0.5"},
		{friend, "", "nothing", "no handshake"},
		{friend, header4 + header4, "400 Bad Request", "no handshake"},
		{friend, "PROXY TCP4 192.0.2.777 192.0.2.8 1234 80\r\n", "nothing", "no handshake"},
		{stranger, "", "127.0.0.6", "127.0.0.6"},
		{stranger, header4, "400 Bad Request", "no handshake"},
		{stranger, binary4, "400 Bad Request", "no handshake"},
	} {
		if got := said(from(t, c.who, plain, c.header)); got != c.plain {
			t.Errorf("%s says %q to HTTP: %q, want %q", c.who, c.header, got, c.plain)
		}
		if got := overTLS(r, from(t, c.who, r.addr(), c.header), "a.example"); got != c.wild {
			t.Errorf("%s says %q to HTTPS: %q, want %q", c.who, c.header, got, c.wild)
		}
	}
	if got := overTLS(r, from(t, friend, r.addr(), ""), "elsewhere"); got != "no handshake" {
		t.Errorf("a friend without a header comes in by the listener for every host: %q", got)
	}
}

// TestProxyHeadersHoldForTheirPorts, and a header that never comes is given up.
func TestProxyHeadersHoldForTheirPorts(t *testing.T) {
	r := newTLSRig(t)
	with, without := r.Listen("with"), r.Listen("without")
	key := r.Backend("telling", rig.Serve(t, tellingAddress))
	r.Route("with", "/", &ir.Rule{Backends: rig.To(key)})
	r.Route("without", "/", &ir.Rule{Backends: rig.To(key)})
	r.trusting(r.Unit.Proxy.Listeners[0].Port)
	r.Unit.Proxy.Settings.ProxyProtocol.HeaderTimeout = ir.Duration(50 * time.Millisecond)
	r.Must()
	if got := said(from(t, friend, with, header4)); got != "192.0.2.7" {
		t.Errorf("with: %q", got)
	}
	if got := said(from(t, friend, without, "")); got != "127.0.0.5" {
		t.Errorf("without: %q", got)
	}
	rest, err := io.ReadAll(from(t, friend, with, "PROXY TCP4 "))
	var late net.Error
	if len(rest) > 0 || errors.As(err, &late) && late.Timeout() {
		t.Errorf("a header that never comes: %q, %v; want the end", rest, err)
	}
}

// TestQUICOfAFriend has nobody to speak for.
func TestQUICOfAFriend(t *testing.T) {
	r := newTLSRig(t)
	r.https("wild", "*.example", r.ca.issue("wild", "*.example"))
	r.Unit.Proxy.Settings.HTTP3 = ir.HTTP3{Enabled: true, AltSvcMaxAge: ir.Duration(time.Hour)}
	r.trusting()
	r.Must()
	for source, want := range map[netip.Addr]bool{friend: false, stranger: true} {
		if _, err := r.dialQUIC(source, "a.example"); (err == nil) != want {
			t.Errorf("from %s: %v", source, err)
		}
	}
}

// TestStreamsOfFriendsComeWhole has backends that send much and then close.
func TestStreamsOfFriendsComeWhole(t *testing.T) {
	r := newTLSRig(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	much := strings.Repeat("0123456789abcdef", 1<<16)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.WriteString(c, much)
				c.Close()
			}()
		}
	}()
	cert := r.ca.issue("cert", "a.example")
	r.certificate(cert)
	ends := &ir.Listener{
		Key: rig.ListenerKey("ends"), Port: r.port, Protocol: ir.TLS, Hostname: "a.example",
		TLS: &ir.ListenerTLS{Mode: ir.Terminate, Certificates: []ir.CertificateKey{cert.Key}},
	}
	plain := &ir.Listener{Key: rig.ListenerKey("plain"), Port: rig.FreePort(t), Protocol: ir.TCP, Hostname: "*"}
	r.Unit.Proxy.Listeners = []*ir.Listener{ends, plain}
	key := r.Backend("much", ln.Addr().String())
	r.Unit.Proxy.Backends[0].Key.Protocol = ir.BackendTCP
	key.Protocol = ir.BackendTCP
	r.Route("ends", "/", &ir.Rule{Backends: rig.To(key)})
	r.Route("plain", "/", &ir.Rule{Backends: rig.To(key)})
	r.Unit.Proxy.Routes[0].Kind, r.Unit.Proxy.Routes[1].Kind = ir.TLSRoute, ir.TCPRoute
	r.Unit.Proxy.Routes[0].Attachments[0].Hostnames = []string{"a.example"}
	r.trusting()
	r.Must()
	for range 20 {
		c := from(t, friend, fmt.Sprintf("127.0.0.1:%d", plain.Port), header4)
		if got, err := io.ReadAll(c); string(got) != much || err != nil {
			t.Errorf("of TCP %d bytes came: %v", len(got), err)
		}
		s := tls.Client(from(t, friend, r.addr(), header4), &tls.Config{ServerName: "a.example", RootCAs: r.ca.pool()})
		if got, err := io.ReadAll(s); string(got) != much || err != nil {
			t.Errorf("of TLS %d bytes came: %v", len(got), err)
		}
		u := tls.Client(from(t, stranger, r.addr(), ""), &tls.Config{ServerName: "a.example", RootCAs: r.ca.pool()})
		if got, err := io.ReadAll(u); string(got) != much || err != nil {
			t.Errorf("of a stranger's TLS %d bytes came: %v", len(got), err)
		}
	}
}
