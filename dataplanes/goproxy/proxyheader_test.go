package goproxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/proxyproto"
	"github.com/sluice-gateway/sluice/ir"
)

// forwardedFor answers what X-Forwarded-For says.
func forwardedFor(t *testing.T) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("X-Forwarded-For")) })
}

func TestTrustedHeaderNamesTheClient(t *testing.T) {
	r := newRig(t)
	r.unit.Proxy.Settings.ProxyProtocol = ir.ProxyProtocol{Trusted: []string{"127.0.0.0/8"}, HeaderTimeout: ir.Duration(patience)}
	addr := r.listen("web")
	r.route("web", &ir.Rule{Backends: to(r.backend("web", ir.BackendHTTP1, forwardedFor(t)))})
	r.must()
	for header, want := range map[string]string{
		"PROXY TCP4 192.0.2.7 192.0.2.8 1234 80\r\n":     "192.0.2.7",
		"PROXY TCP6 2001:db8::7 2001:db8::8 1234 80\r\n": "2001:db8::7",
		"PROXY UNKNOWN\r\n":                              "127.0.0.1",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x09\xc0\x00\x02\x08\x04\xd2\x00\x50": "192.0.2.9",
		"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00":                                                 "127.0.0.1",
	} {
		c := dial(t, addr)
		_, _ = io.WriteString(c, header+"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Errorf("%q: %v", header, err)
			continue
		}
		if body, _ := io.ReadAll(res.Body); string(body) != want {
			t.Errorf("%q: the backend saw %q, want %q", header, body, want)
		}
	}
	wait.For(t, "the log to name the client", func() bool { return strings.Contains(r.log.String(), `"client":"192.0.2.7"`) })
	c := dial(t, addr)
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
	if rest, _ := io.ReadAll(c); len(rest) > 0 {
		t.Errorf("without a header: got %q, want nothing", rest)
	}
}

// TestUntrustedHeaderIsNoHeader sends a header from where none is believed.
func TestUntrustedHeaderIsNoHeader(t *testing.T) {
	r := newRig(t)
	r.unit.Proxy.Settings.ProxyProtocol = ir.ProxyProtocol{Trusted: []string{"192.0.2.0/24"}}
	addr := r.listen("web")
	r.route("web", &ir.Rule{Backends: to(r.backend("web", ir.BackendHTTP1, forwardedFor(t)))})
	r.must()
	c := dial(t, addr)
	_, _ = io.WriteString(c, "PROXY TCP4 192.0.2.7 192.0.2.8 1234 80\r\nGET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode != http.StatusBadRequest {
		t.Errorf("got %v, %v; want 400", res, err)
	}
	if got := get(t, plain(t), "http://"+addr+"/"); got.body != "127.0.0.1" {
		t.Errorf("without a header: got %q", got.body)
	}
}

func TestHeaderThatNeverComesIsGivenUp(t *testing.T) {
	r := newRig(t)
	r.unit.Proxy.Settings.ProxyProtocol = ir.ProxyProtocol{Trusted: []string{"127.0.0.0/8"}, HeaderTimeout: ir.Duration(20 * time.Millisecond)}
	addr := r.listen("web")
	r.must()
	c := dial(t, addr)
	_, _ = io.WriteString(c, "PROXY TCP4 ")
	if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("got %q, %v; want the end", rest, err)
	}
}

func TestHeadersHoldForTheirPorts(t *testing.T) {
	r := newRig(t)
	with, without := r.layer4("with", ir.TCP, 0), r.layer4("without", ir.TCP, 0)
	r.unit.Proxy.Settings.ProxyProtocol = ir.ProxyProtocol{Trusted: []string{"127.0.0.0/8"}, Ports: []uint16{r.unit.Proxy.Listeners[0].Port}}
	key := r.backend("echo", ir.BackendTCP, streamBackend(t, "a"))
	r.carry(ir.TCPRoute, "with", nil, to(key)...)
	r.carry(ir.TCPRoute, "without", nil, to(key)...)
	r.must()
	c := dial(t, with)
	_, _ = io.WriteString(c, "PROXY UNKNOWN\r\n")
	if name := greeting(t, c); name != "a" {
		t.Errorf("with a header: greeted by %q", name)
	}
	if name := greeting(t, dial(t, without)); name != "a" {
		t.Errorf("without: greeted by %q", name)
	}
}

// TestBackendsAreToldTheClient sends a header on, and with it what a trusted
// proxy said before.
func TestBackendsAreToldTheClient(t *testing.T) {
	for _, version := range []ir.ProxyProtocolVersion{ir.ProxyProtocolV1, ir.ProxyProtocolV2} {
		r := newRig(t)
		r.unit.Proxy.Settings.ProxyProtocol = ir.ProxyProtocol{Trusted: []string{"127.0.0.0/8"}}
		addr := r.layer4("tcp", ir.TCP, 0)
		r.lastListener().SendProxyProtocol = version
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		r.carry(ir.TCPRoute, "tcp", nil, to(r.backend("told", ir.BackendTCP, ln.Addr().String()))...)
		r.must()
		c := dial(t, addr)
		_, _ = io.WriteString(c, "PROXY TCP4 192.0.2.7 192.0.2.8 1234 80\r\nhello")
		_ = c.CloseWrite()
		b, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		header, err := proxyproto.Read(b)
		if err != nil || header.Source.String() != "192.0.2.7:1234" || header.Destination.String() != "192.0.2.8:80" {
			t.Errorf("%s: got %v, %v", version, header, err)
		}
		if rest, err := io.ReadAll(b); string(rest) != "hello" {
			t.Errorf("%s: then %q, %v", version, rest, err)
		}
	}
}
