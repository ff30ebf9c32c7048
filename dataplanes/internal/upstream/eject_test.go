package upstream

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

var ejecting = ir.Ejection{
	Failures: 3, BaseTime: ir.Duration(10 * time.Second), MaxTime: ir.Duration(30 * time.Second), MaxPercent: 50,
}

func newEjecting(t *testing.T, n int, change func(*ir.Ejection)) *rig {
	t.Helper()
	rules := ejecting
	if change != nil {
		change(&rules)
	}
	return newRig(t, ir.Backend{Ejection: &rules}, some(n))
}

// fail has a number of connections to an endpoint fail.
func (r *rig) fail(t *testing.T, e ir.Endpoint, times int) {
	t.Helper()
	for range times {
		r.missed(r.at(t, e), syscall.ECONNREFUSED)
	}
}

// uses says how often an endpoint is picked in 100 picks.
func (r *rig) uses(e ir.Endpoint) int {
	return r.counts(100, noKey)[net.JoinHostPort(e.Address, strconv.Itoa(int(e.Port)))]
}

func TestFailuresInARowEject(t *testing.T) {
	r, all := newEjecting(t, 4, nil), some(4)
	r.fail(t, all[0], 2)
	r.reached(r.at(t, all[0]))
	r.fail(t, all[0], 2)
	if n := r.uses(all[0]); n != 25 {
		t.Errorf("after two in a row it is used %d times of 100, want 25", n)
	}
	r.fail(t, all[0], 1)
	if n := r.uses(all[0]); n != 0 || r.ejected != 1 || r.held != 1 {
		t.Errorf("after three in a row it is used %d times of 100, and %d were ejected; want 0 and 1", n, r.ejected)
	}
	// What was under way when it was ejected changes nothing.
	r.fail(t, all[0], 10)
	r.clock = r.clock.Add(10 * time.Second)
	if n := r.uses(all[0]); n != 1 {
		t.Errorf("after its time it is tried %d times, want once", n)
	}
}

func TestAnEjectedEndpointIsTriedByOneRequest(t *testing.T) {
	r, all := newEjecting(t, 4, nil), some(4)
	r.fail(t, all[1], 3)
	for _, seconds := range []int{10, 20, 30, 30, 30} {
		wait := time.Duration(seconds) * time.Second
		r.clock = r.clock.Add(wait - 1)
		if n := r.uses(all[1]); n != 0 {
			t.Fatalf("before its %v are over it is used %d times, want 0", wait, n)
		}
		r.clock = r.clock.Add(1)
		if n := r.uses(all[1]); n != 1 {
			t.Fatalf("after its %v it is tried %d times, want once", wait, n)
		}
		r.fail(t, all[1], 1)
	}
	r.clock = r.clock.Add(30 * time.Second)
	if n := r.uses(all[1]); n != 1 {
		t.Fatalf("it is tried %d times, want once", n)
	}
	r.reached(r.at(t, all[1]))
	if n := r.uses(all[1]); n != 25 || r.held != 0 {
		t.Errorf("once it is reached it is used %d times of 100, want 25", n)
	}
	// It begins anew.
	r.fail(t, all[1], 3)
	r.clock = r.clock.Add(10 * time.Second)
	if n := r.uses(all[1]); n != 1 {
		t.Errorf("after 10s it is tried %d times, want once", n)
	}
}

// Whatever kept us from connecting must not be held against the endpoint.
func TestWhatSaysNothingOfAnEndpoint(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   *Error
		count int32
	}{
		{"refused", &Error{Kind: NoConnection, Err: syscall.ECONNREFUSED}, 1},
		{"no answer to a connect", &Error{Kind: NoConnection, Err: &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}}, 1},
		{"no descriptor left", &Error{Kind: NoConnection, Err: fmt.Errorf("x: %w", &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)})}, 0},
		{"no port left", &Error{Kind: NoConnection, Err: errors.Join(errors.New("x"), syscall.EADDRNOTAVAIL)}, 0},
		{"a rule's time-out", &Error{Kind: Timeout, Err: os.ErrDeadlineExceeded}, 0},
		{"the client has gone", &Error{Kind: ClientGone, Err: os.ErrClosed}, 0},
		{"broken off", &Error{Kind: Broken, Err: syscall.ECONNRESET}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newEjecting(t, 4, nil)
			e := r.at(t, some(4)[0])
			(&tries{pool: r.Pool}).heard(e, c.err)
			if n := e.health.failures.Load(); n != c.count {
				t.Errorf("it counts %d failures, want %d", n, c.count)
			}
		})
	}
}

// A try whose end is never known must not keep an endpoint out for good.
func TestATryWithoutAnEndIsMadeAgain(t *testing.T) {
	r, all := newEjecting(t, 4, nil), some(4)
	r.fail(t, all[1], 3)
	for range 3 {
		r.clock = r.clock.Add(10 * time.Second)
		if n := r.uses(all[1]); n != 1 {
			t.Fatalf("it is tried %d times, want once", n)
		}
	}
}

func TestSomebodyIsLeft(t *testing.T) {
	for _, c := range []struct {
		name            string
		n, percent, out int
	}{
		{"never the only one", 1, 50, 0},
		{"one of two", 2, 50, 1},
		{"rounded down", 3, 50, 1},
		{"two of four", 4, 50, 2},
		{"less than one is none", 9, 10, 0},
		{"all where all may be", 3, 100, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newEjecting(t, c.n, func(e *ir.Ejection) { e.MaxPercent = c.percent })
			for _, e := range some(c.n) {
				r.fail(t, e, 3)
			}
			if r.held != c.out {
				t.Errorf("%d of %d are ejected, want %d", r.held, c.n, c.out)
			}
			want := c.n - c.out
			if want == 0 {
				want = c.n
			}
			if got := len(r.counts(100, noKey)); got != want {
				t.Errorf("%d are used, want %d", got, want)
			}
		})
	}
}

func TestARetryAsksTheEjectedLast(t *testing.T) {
	r, all := newEjecting(t, 2, nil), some(2)
	r.fail(t, all[0], 3)
	second := r.at(t, all[1])
	if e := r.pick(want{}); e != second {
		t.Fatalf("%s was picked, want the one that is in use", e.name)
	}
	if e := r.pick(want{tried: []*endpoint{second}}); e != r.at(t, all[0]) {
		t.Error("the ejected one is not asked although no other is left")
	}
}

func TestEjectionOutlivesASwap(t *testing.T) {
	r, all := newEjecting(t, 4, nil), some(5)
	r.fail(t, all[0], 3)
	r.fail(t, all[1], 3)
	r.have(all)
	if r.uses(all[0])+r.uses(all[1]) != 0 {
		t.Error("an ejected endpoint is used after a swap")
	}
	r.clock = r.clock.Add(time.Second)
	r.have(all[1:3])
	if r.uses(all[1]) != 0 || r.held != 1 {
		t.Errorf("%d are counted as ejected, want 1: the other has gone", r.held)
	}
	r.have(all[1:2])
	if r.uses(all[1]) != 100 || r.held != 0 {
		t.Error("the last endpoint is still ejected")
	}
	r.have(all)
	if n := r.uses(all[0]); n != 20 {
		t.Errorf("an endpoint that went and came is used %d times of 100, want 20", n)
	}
}

func TestEjectionIsTurnedOff(t *testing.T) {
	r, all := newEjecting(t, 4, nil), some(4)
	r.fail(t, all[0], 3)
	r.swap(r.roster.Load().source, policy{})
	if n := r.uses(all[0]); n != 25 || r.held != 0 {
		t.Errorf("it is used %d times of 100, want 25", n)
	}
	r.fail(t, all[0], 100)
	if r.held != 0 {
		t.Error("an endpoint is ejected although that is off")
	}
}

func TestSessionsAndEjection(t *testing.T) {
	r, all := newEjecting(t, 4, nil), some(4)
	own := r.at(t, all[2])
	for range 10 {
		if e := r.pick(want{pinned: own.id}); e != own {
			t.Fatalf("a session went to %s", e.name)
		}
	}
	r.fail(t, all[2], 3)
	if e := r.pick(want{pinned: own.id}); e == own {
		t.Error("a session goes on trying an ejected endpoint")
	}
	all[2].Draining = true
	r.have(all)
	r.reached(own)
	if e := r.pick(want{pinned: own.id}); e != own {
		t.Error("a session left an endpoint that drains")
	}
	if r.uses(all[2]) != 0 {
		t.Error("an endpoint that drains is used for others")
	}
}

// What drains is not tried to see whether it is back, while others are there.
func TestWhatDrainsIsNotProbed(t *testing.T) {
	r, all := newEjecting(t, 4, nil), some(4)
	r.fail(t, all[2], 3)
	all[2].Draining = true
	r.have(all)
	r.clock = r.clock.Add(time.Minute)
	if n := r.uses(all[2]); n != 0 {
		t.Errorf("it is used %d times, want 0", n)
	}
}

func TestStreamsEjectToo(t *testing.T) {
	alive, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	key := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Service: "s", Port: 80}, Protocol: ir.BackendTCP}
	r := &rig{}
	list := &ir.Endpoints{Key: key.EndpointsKey}
	for _, ln := range []net.Listener{alive, gone} {
		addr := netip.MustParseAddrPort(ln.Addr().String())
		list.Endpoints = append(list.Endpoints, ir.Endpoint{Address: addr.Addr().String(), Port: addr.Port()})
	}
	pools := Next(nil, Input{
		Backends: []*ir.Backend{{Key: key, Ejection: &ejecting}}, Endpoints: []*ir.Endpoints{list}, Watcher: r,
		ID: func(ir.EndpointsKey, ir.Endpoint) ID { return ID{1} },
	})
	tries := 0
	for range 20 {
		s, err := pools.Open(t.Context(), Opening{Backend: key})
		if err != nil {
			t.Fatal(err)
		}
		s.Conn.Close()
		s.Release()
		tries += s.Tries
	}
	if tries != 23 || r.held != 1 {
		t.Errorf("20 connections took %d tries, want 23: three find out, and none after them", tries)
	}
	for _, e := range pools.byKey[key].roster.Load().byAddr {
		if n := e.active.Load(); n != 0 {
			t.Errorf("%s has %d connections at the end, want 0", e.name, n)
		}
	}
}

func TestSessionsOfDatagramsAreCounted(t *testing.T) {
	key := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Service: "s", Port: 53}, Protocol: ir.BackendUDP}
	pools := Next(nil, Input{
		Backends:  []*ir.Backend{{Key: key, Balancing: ir.Balancing{Algorithm: ir.LeastRequest}}},
		Endpoints: []*ir.Endpoints{{Key: key.EndpointsKey, Endpoints: some(2)}},
		ID:        func(ir.EndpointsKey, ir.Endpoint) ID { return ID{1} },
	})
	counted := map[netip.AddrPort]int{}
	var open []Session
	for range 20 {
		s, err := pools.Endpoint(key, netip.MustParseAddr("192.0.2.1"))
		if err != nil {
			t.Fatal(err)
		}
		counted[s.Endpoint]++
		open = append(open, s)
	}
	for addr, n := range counted {
		if n != 10 {
			t.Errorf("%v has %d sessions of 20, want 10", addr, n)
		}
	}
	for _, s := range open {
		s.Release()
		s.Release()
	}
	for _, e := range pools.byKey[key].roster.Load().byAddr {
		if n := e.active.Load(); n != 0 {
			t.Errorf("%s has %d sessions at the end, want 0", e.name, n)
		}
	}
}

// TestWhatSeveralHaveWaitedForFailsOnce has calls over HTTP/2 wait for one
// connection, which is refused.
func TestWhatSeveralHaveWaitedForFailsOnce(t *testing.T) {
	r, all := newEjecting(t, 4, nil), some(4)
	e := r.at(t, all[0])
	for want := range int32(2) {
		one := errors.Join(exchange.ErrUnreachable, syscall.ECONNREFUSED)
		for range 20 {
			call := &tries{pool: r.Pool}
			call.heard(e, &Error{Kind: NoConnection, Err: one})
		}
		if n := e.health.failures.Load(); n != want+1 {
			t.Errorf("%d connections failed, and %d were counted", want+1, n)
		}
	}
	if n := r.uses(all[0]); n != 25 {
		t.Errorf("after two in a row it is used %d times of 100, want 25", n)
	}
}
