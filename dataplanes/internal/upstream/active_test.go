package upstream

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// serveOnce answers one request and hangs up on the next.
func serveOnce(t *testing.T) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		ln.Close()
		r := bufio.NewReader(c)
		if _, err := http.ReadRequest(r); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			_, _ = http.ReadRequest(r)
		}
	}()
	return netip.MustParseAddrPort(ln.Addr().String())
}

func TestExchangesAreCountedUntilTheyEnd(t *testing.T) {
	addr := serveOnce(t)
	key := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Service: "s", Port: 80}, Protocol: ir.BackendHTTP1}
	pools := Next(nil, Input{
		Backends: []*ir.Backend{{Key: key}},
		Endpoints: []*ir.Endpoints{{Key: key.EndpointsKey, Endpoints: []ir.Endpoint{
			{Address: addr.Addr().String(), Port: addr.Port()},
		}}},
		ID: func(ir.EndpointsKey, ir.Endpoint) ID { return ID{1} },
	})
	e := pools.byKey[key].roster.Load().byAddr[addr]
	call := Call{Backend: key, Request: &exchange.Request{Method: "POST", Authority: "a", Path: "/", Body: exchange.NoBody{}}}
	reply, err := pools.Do(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	if n := e.active.Load(); n != 1 {
		t.Errorf("%d exchanges while the response is read, want 1", n)
	}
	_, _ = io.Copy(io.Discard, reply.Response.Body)
	reply.Response.Body.Close()
	if n := e.active.Load(); n != 0 {
		t.Errorf("%d exchanges at the end, want 0", n)
	}
	if _, err := pools.Do(t.Context(), call); err == nil {
		t.Error("a connection that was hung up on has answered")
	}
	if n := e.active.Load(); n != 0 {
		t.Errorf("%d exchanges after a failure, want 0", n)
	}
}
