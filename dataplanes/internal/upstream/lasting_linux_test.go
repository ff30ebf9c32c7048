package upstream

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// deaf is an address where nobody answers a connection: its backlog is full.
func deaf(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(name.(*syscall.SockaddrInet4).Port))
	for range 8 {
		c, err := net.DialTimeout("tcp", addr.String(), 100*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the backlog is never full")
	return addr
}

// A node that drops packets is found out although every try gives up before its
// connection has failed.
func TestShortTriesFindADeadNode(t *testing.T) {
	addr := deaf(t)
	key := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Service: "s", Port: 80}, Protocol: ir.BackendHTTP1}
	pools := Next(nil, Input{
		Connect: ir.Duration(200 * time.Millisecond), ID: func(ir.EndpointsKey, ir.Endpoint) ID { return ID{1} },
		Backends: []*ir.Backend{{Key: key, Ejection: &ir.Ejection{Failures: 3, BaseTime: ir.Duration(time.Hour), MaxPercent: 100}}},
		Endpoints: []*ir.Endpoints{{Key: key.EndpointsKey, Endpoints: []ir.Endpoint{
			{Address: addr.Addr().String(), Port: addr.Port()},
		}}},
	})
	defer pools.Retire(nil)
	e := pools.byKey[key].roster.Load().byAddr[addr]
	call := Call{
		Backend: key, PerTry: 10 * time.Millisecond,
		Request: &exchange.Request{Method: "GET", Authority: "a", Path: "/", Body: exchange.NoBody{}},
	}
	for began := time.Now(); !e.health.out.Load(); {
		if _, err := pools.Do(t.Context(), call); err == nil {
			t.Fatal("somebody has answered")
		}
		if n := e.lasting.Load(); n > mostLasting+1 {
			t.Fatalf("%d attempts last on", n)
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal("it is never ejected")
		}
	}
}
