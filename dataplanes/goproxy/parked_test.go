//go:build linux && (amd64 || arm64)

package goproxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/park"
	"github.com/sluice-gateway/sluice/ir"
)

// parks waits until so many connections of the process are parked.
func parks(t *testing.T, count int) {
	t.Helper()
	wait.For(t, "idle connections to be parked", func() bool { return park.Open().Parked() == count })
}

// TestParkedConnectionsStayWhatTheyAre parks connections that a proxy spoke for:
// they keep their places, and their clients their addresses.
func TestParkedConnectionsStayWhatTheyAre(t *testing.T) {
	r := newRig(t)
	r.unit.Proxy.Settings.ProxyProtocol = ir.ProxyProtocol{Trusted: []string{"127.0.0.0/8"}, HeaderTimeout: ir.Duration(patience)}
	r.unit.Proxy.Settings.Limits.Connections = 2
	addr := r.listen("web")
	r.route("web", &ir.Rule{Backends: to(r.backend("web", ir.BackendHTTP1, forwardedFor(t)))})
	r.must()
	parks(t, 0)
	ask := func(c net.Conn, header string) {
		t.Helper()
		_, _ = io.WriteString(c, header+"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(res.Body); string(body) != "192.0.2.7" {
			t.Errorf("the backend saw %q, want 192.0.2.7", body)
		}
	}
	const header = "PROXY TCP4 192.0.2.7 192.0.2.8 1234 80\r\n"
	served, fresh := dial(t, addr), dial(t, addr)
	ask(served, header)
	_, _ = io.WriteString(fresh, header)
	parks(t, 2)
	if rest, _ := io.ReadAll(dial(t, addr)); len(rest) > 0 {
		t.Errorf("a connection over the limit got %q, want nothing", rest)
	}
	ask(served, "")
	ask(fresh, "")
	parks(t, 2)
	served.Close()
	parks(t, 1)
	wait.For(t, "the place to be free", func() bool {
		c := dial(t, addr)
		_, _ = io.WriteString(c, header+"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
		_, err := http.ReadResponse(bufio.NewReader(c), nil)
		return err == nil
	})
}

// TestParkedConnectionsMoveWithTheirServer changes settings under parked
// connections: those of before are served once more, and asked to go.
func TestParkedConnectionsMoveWithTheirServer(t *testing.T) {
	r := newRig(t)
	addr := r.listen("web")
	r.route("web", &ir.Rule{Backends: to(r.backend("web", ir.BackendHTTP1, named(t, "web")))})
	r.must()
	parks(t, 0)
	c := dial(t, addr)
	answers := bufio.NewReader(c)
	for _, closes := range []bool{false, true} {
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = io.Copy(io.Discard, res.Body); err != nil || res.Close != closes {
			t.Errorf("the end of the connection is announced: %v, %v; want %v", res.Close, err, closes)
		}
		if !closes {
			parks(t, 1)
			r.unit.Proxy.Settings.Limits.RequestHeaderBytes = 4096
			r.must()
		}
	}
	if rest, _ := io.ReadAll(answers); len(rest) > 0 {
		t.Errorf("got %q, want the end", rest)
	}
}
