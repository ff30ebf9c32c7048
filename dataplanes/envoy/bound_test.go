package envoy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
)

// The addresses of a proxy that is trusted, and of anybody else.
var (
	friend   = netip.MustParseAddr("127.0.0.5")
	stranger = netip.MustParseAddr("127.0.0.6")
)

// from connects from an address, and says something first.
func from(t testing.TB, source netip.Addr, addr, first string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))}
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(rig.Patience))
	if _, err := io.WriteString(c, first); err != nil {
		t.Fatal(err)
	}
	return c
}

// said is what a backend is told of the client, or of what went wrong.
func said(c net.Conn) string {
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "nothing"
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return response.Status
	}
	body, _ := io.ReadAll(response.Body)
	return string(body)
}

// TestConnectionsOfAPortAreBound closes one more at once; a new bound holds without
// a connection that is lost.
func TestConnectionsOfAPortAreBound(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("plain")
	r.Route("plain", "/", &ir.Rule{Backends: rig.To(r.Backend("a", rig.Named(t, "a")))})
	r.Unit.Proxy.Settings.Limits.Connections = 2
	r.Must()
	first, second := from(t, rig.Loopback, addr, ""), from(t, rig.Loopback, addr, "")
	for _, c := range []net.Conn{first, second} {
		if got := said(c); got != "a" {
			t.Fatalf("within the bound: %q", got)
		}
	}
	if rest, _ := io.ReadAll(from(t, rig.Loopback, addr, "")); len(rest) > 0 {
		t.Errorf("one more got %q", rest)
	}
	r.Unit.Proxy.Settings.Limits.Connections = 3
	r.Must()
	// Envoy's threads hear of a bound one by one, and count off what they refused.
	wait.For(t, "a third connection within the higher bound", func() bool { return said(from(t, rig.Loopback, addr, "")) == "a" })
	for _, c := range []net.Conn{first, second} {
		if got := said(c); got != "a" {
			t.Errorf("with a higher bound: %q", got)
		}
	}
}

// TestConnectionsOfQUICAreBound as well.
func TestConnectionsOfQUICAreBound(t *testing.T) {
	r := newTLSRig(t)
	r.https("wild", "*.example", r.ca.issue("wild", "*.example"))
	r.Unit.Proxy.Settings.HTTP3 = ir.HTTP3{Enabled: true, AltSvcMaxAge: ir.Duration(time.Hour)}
	r.Unit.Proxy.Settings.Limits.Connections = 2
	r.Must()
	for i := range 4 {
		if _, err := r.dialQUIC(stranger, "a.example"); (err == nil) != (i < 2) {
			t.Errorf("connection %d: %v", i+1, err)
		}
	}
}
