//go:build linux && (amd64 || arm64)

package park

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// sleeper counts how often it was woken.
type sleeper struct{ woken chan struct{} }

var _ Sleeper = (*sleeper)(nil)

func newSleeper() *sleeper { return &sleeper{make(chan struct{}, 9)} }

func (s *sleeper) Wake() { s.woken <- struct{}{} }

// wakes fails unless it was woken, once.
func (s *sleeper) wakes(t *testing.T, why string) {
	t.Helper()
	select {
	case <-s.woken:
	case <-time.After(20 * time.Second):
		t.Fatalf("never woken: %s", why)
	}
	if len(s.woken) > 0 {
		t.Errorf("woken again: %s", why)
	}
}

func pair(t *testing.T) (ours *rawconn.Conn, theirs *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return rawconn.New(server), client.(*net.TCPConn)
}

func (l *Lot) watch(t *testing.T, s Sleeper, c *rawconn.Conn) Ticket {
	t.Helper()
	ticket := l.Enter(s)
	if err := l.Watch(ticket, c); err != nil {
		t.Fatal(err)
	}
	return ticket
}

func TestWhatWakes(t *testing.T) {
	for name, does := range map[string]func(*net.TCPConn){
		"an octet":     func(c *net.TCPConn) { io.WriteString(c, "x") },
		"a half-close": func(c *net.TCPConn) { c.CloseWrite() },
		"a close":      func(c *net.TCPConn) { c.Close() },
		"a reset":      func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
	} {
		t.Run(name+" before", func(t *testing.T) {
			ours, theirs := pair(t)
			does(theirs)
			s := newSleeper()
			Open().watch(t, s, ours)
			s.wakes(t, name)
		})
		t.Run(name+" after", func(t *testing.T) {
			ours, theirs := pair(t)
			s := newSleeper()
			Open().watch(t, s, ours)
			does(theirs)
			s.wakes(t, name)
		})
	}
}

// A connection is told of once for each time that it is parked, though it is
// registered only once.
func TestParkedAgain(t *testing.T) {
	ours, theirs := pair(t)
	for range 50 {
		s := newSleeper()
		Open().watch(t, s, ours)
		io.WriteString(theirs, "x")
		s.wakes(t, "an octet")
		if _, err := ours.Read(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
	}
}

// What has left is not woken, and neither is who has its descriptor since.
func TestWhoHasLeftIsNotWoken(t *testing.T) {
	lot, left, other := Open(), newSleeper(), newSleeper()
	ours, theirs := pair(t)
	ticket := lot.watch(t, left, ours)
	lot.Leave(ticket)
	io.WriteString(theirs, "x")
	ours2, theirs2 := pair(t)
	lot.watch(t, other, ours2)
	lot.wake(uint64(ticket))
	if len(other.woken) > 0 {
		t.Error("news of one connection has woken another")
	}
	io.WriteString(theirs2, "x")
	other.wakes(t, "an octet")
	if len(left.woken) > 0 {
		t.Error("what has left was woken")
	}
}

func TestClosedConnectionCannotBeParked(t *testing.T) {
	lot, s := Open(), newSleeper()
	ours, _ := pair(t)
	ours.Close()
	before := lot.Parked()
	if err := lot.Watch(lot.Enter(s), ours); err == nil {
		t.Error("no error for a connection that is closed")
	}
	if lot.Parked() != before {
		t.Error("its place was kept")
	}
	if err := lot.Watch(lot.Enter(s), rawconn.Plain(ours)); err == nil || rawconn.Plain(ours).Parkable() {
		t.Error("no error for a connection without a descriptor")
	}
}

func TestManyAtOnce(t *testing.T) {
	const many = 200
	var all sync.WaitGroup
	for range many {
		ours, theirs := pair(t)
		all.Go(func() {
			s := newSleeper()
			ticket := Open().Enter(s)
			go io.WriteString(theirs, "x")
			if err := Open().Watch(ticket, ours); err != nil {
				t.Error(err)
				return
			}
			s.wakes(t, "an octet")
		})
	}
	all.Wait()
}
