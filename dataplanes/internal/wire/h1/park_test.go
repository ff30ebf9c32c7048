//go:build linux && (amd64 || arm64)

package h1

import (
	"context"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/park"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// parking is a proxy whose connections can be parked, in plain text or over TLS.
type parking struct {
	*proxy
	over  *tls.Config
	ended atomic.Int32
}

func newParking(t testing.TB, secure bool) *parking {
	t.Helper()
	p := &parking{proxy: newProxy(t, "", ways["raw"])}
	p.handle(func(context.Context, *exchange.Request) *exchange.Response { return &exchange.Response{Status: 204} })
	p.server.Ended = func() { p.ended.Add(1) }
	if secure {
		var config *tls.Config
		config, p.over = testTLS(t)
		p.wrap = func(c net.Conn) net.Conn { return tls.Server(rawconn.New(c), config) }
	}
	return p
}

func eachParking(t *testing.T, f func(p *parking)) {
	t.Helper()
	for name, secure := range map[string]bool{"plain": false, "tls": true} {
		t.Run(name, func(t *testing.T) { f(newParking(t, secure)) })
	}
}

func (p *parking) dial() *client {
	c := p.proxy.dial()
	if p.over == nil {
		return c
	}
	return newClient(p.t, tls.Client(c.Conn, p.over))
}

func (p *parking) rows() (fresh, served, sessions int) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	return p.server.fresh.len, p.server.served.len, len(p.server.sessions)
}

// parks waits until so many connections are parked, and no session is left.
func (p *parking) parks(fresh, served int) {
	p.t.Helper()
	wait.For(p.t, "all is parked", func() bool {
		f, s, sessions := p.rows()
		return f == fresh && s == served && sessions == 0
	})
	if p.server.Open() != fresh+served {
		p.t.Errorf("%d connections are open, want %d", p.server.Open(), fresh+served)
	}
}

// empties waits until no connection is left, and each was told of once.
func (p *parking) empties(count int32) {
	p.t.Helper()
	wait.For(p.t, "all have ended", func() bool { return p.server.Open() == 0 && p.ended.Load() >= count })
	if p.ended.Load() != count {
		p.t.Errorf("%d ends of %d connections", p.ended.Load(), count)
	}
}

func TestParkedConnectionsServeOn(t *testing.T) {
	eachParking(t, func(p *parking) {
		p.start()
		var all []*client
		for range 20 {
			all = append(all, p.dial())
		}
		for range 2 {
			for _, c := range all {
				c.get(204)
			}
			p.parks(0, len(all))
		}
		for _, c := range all {
			c.Close()
		}
		p.empties(20)
	})
}

// A connection that has said nothing is parked too, and its first request, in
// parts, is served.
func TestFreshConnectionsAreParked(t *testing.T) {
	p := newParking(t, false)
	p.start()
	c := p.dial()
	p.parks(1, 0)
	c.send("G")
	wait.For(t, "it is awake", func() bool { _, _, sessions := p.rows(); return sessions == 1 })
	c.send("ET / HTTP/1.1\r\nHost: a\r\n\r\n").answer("GET", 204)
	p.parks(0, 1)
}

// The time for a head begins with its first octet, and not while it is waited for.
func TestHeadTimeoutBeginsWithTheHead(t *testing.T) {
	eachParking(t, func(p *parking) {
		p.server.Timeouts = Timeouts{Head: 6 * moment}
		p.start()
		c := p.dial()
		c.get(204)
		p.parks(0, 1)
		<-time.After(8 * moment)
		c.send("GET / HTTP/1.1\r\n").answer("GET", 408)
		c.ended()
		p.empties(1)
	})
}

func TestParkedConnectionsTimeOut(t *testing.T) {
	bounds := Timeouts{Idle: time.Hour, Head: 2 * time.Hour}
	eachParking(t, func(p *parking) {
		p.server.Timeouts = bounds
		p.start()
		c := p.dial()
		c.get(204)
		p.parks(0, 1)
		p.hasWaited(&p.server.served, bounds.Idle)
		c.ended()
		p.empties(1)
	})
	p := newParking(t, false)
	p.server.Timeouts = bounds
	p.start()
	c := p.dial()
	p.parks(1, 0)
	p.hasWaited(&p.server.fresh, bounds.Head)
	c.ended()
	p.empties(1)
}

// hasWaited looks at how long the first of a row may wait, and has it be over.
func (p *parking) hasWaited(r *row, bound time.Duration) {
	p.t.Helper()
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	if left := time.Until(r.first.due); left > bound || left < bound/2 {
		p.t.Errorf("it may wait for another %v of %v", left, bound)
	}
	r.first.due = time.Now()
}

func TestEndsOfParkedConnections(t *testing.T) {
	for name, end := range map[string]func(c *net.TCPConn){
		"half-close": func(c *net.TCPConn) { c.CloseWrite() },
		"close":      func(c *net.TCPConn) { c.Close() },
		"reset":      func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			eachParking(t, func(p *parking) {
				p.start()
				c := p.dial()
				c.get(204)
				p.parks(0, 1)
				below := c.Conn
				if secure, ok := below.(*tls.Conn); ok {
					below = secure.NetConn()
				}
				end(below.(*net.TCPConn))
				p.empties(1)
			})
		})
	}
}

func TestDrainClosesParkedConnections(t *testing.T) {
	eachParking(t, func(p *parking) {
		p.start()
		c := p.dial()
		c.get(204)
		p.parks(0, 1)
		p.server.Drain()
		if !p.server.Wait(p.t.Context()) {
			p.t.Error("the drain did not end")
		}
		c.ended()
		p.empties(1)
	})
}

// A fresh connection has its moment in a drain, parked or not, in which it is
// served still.
func TestDrainGivesParkedFreshConnectionsAMoment(t *testing.T) {
	p := newParking(t, false)
	p.start()
	late, silent := p.dial(), p.dial()
	p.parks(2, 0)
	p.server.Drain()
	if r := late.get(204); !r.Close {
		t.Error("the end of the connection was not announced")
	}
	late.ended()
	for range freshGlances {
		p.server.look()
	}
	silent.ended()
	if !p.server.Wait(t.Context()) {
		t.Error("the drain did not end")
	}
	p.empties(2)
}

func TestCloseEndsParkedConnections(t *testing.T) {
	p := newParking(t, false)
	p.start()
	served, fresh := p.dial(), p.dial()
	served.get(204)
	p.parks(1, 1)
	p.server.Close()
	served.ended()
	fresh.ended()
	p.empties(2)
}

// Requests that come just as their connections are being parked are answered.
func TestRequestsWhileParking(t *testing.T) {
	eachParking(t, func(p *parking) {
		p.start()
		var all sync.WaitGroup
		for range 40 {
			c := p.dial()
			all.Go(func() {
				for _, about := range []time.Duration{moment, longMoment, 0} {
					io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
					r, err := http.ReadResponse(c.r, nil)
					if err != nil || r.StatusCode != 204 {
						p.t.Errorf("answer %v, %v", r, err)
						return
					}
					<-time.After(about - moment/50 + time.Duration(rand.Int64N(int64(moment/25))))
				}
			})
		}
		all.Wait()
	})
}

// A drain that meets requests on their way to parked connections answers or
// closes each, and comes to its end.
func TestDrainWhileWaking(t *testing.T) {
	eachParking(t, func(p *parking) {
		p.start()
		const many = 40
		var clients []*client
		for range many {
			c := p.dial()
			c.get(204)
			clients = append(clients, c)
		}
		p.parks(0, many)
		var all sync.WaitGroup
		for i, c := range clients {
			all.Go(func() {
				io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				if r, err := http.ReadResponse(c.r, nil); err != nil && isTimeout(err) || err == nil && r.StatusCode != 204 {
					p.t.Errorf("answer %v, %v", r, err)
				}
				c.ended()
			})
			if i == many/2 {
				all.Go(p.server.Drain)
			}
		}
		all.Wait()
		if !p.server.Wait(p.t.Context()) {
			p.t.Error("the drain did not end")
		}
		p.empties(many)
	})
}

// A connection that was taken while it was being parked is not gone on with; one
// that could not be parked is.
func TestSessionThatCannotBeParked(t *testing.T) {
	p := newParking(t, false)
	p.server.prepared.Do(p.server.prepare)
	ours, _ := socketPair(t)
	s := newSession(p.server, carried{ctx: t.Context(), given: ours, served: true})
	defer s.life.cut()
	p.server.add(s)
	parkedAs := func() *parked {
		at := &parked{server: p.server, carried: s.carried}
		if !p.server.enter(s, at, park.Open()) {
			t.Fatal("it was not let in")
		}
		return at
	}
	if !p.server.reenter(s, parkedAs()) || p.server.Open() != 1 {
		t.Error("it should have been gone on with")
	}
	at := parkedAs()
	p.server.Drain()
	if p.server.reenter(s, at) || p.server.resume(at) != nil {
		t.Error("a closed connection was gone on with")
	}
	if p.server.enter(s, at, park.Open()) {
		t.Error("a server that drains parks connections")
	}
	p.empties(1)
}

// Octets that are no whole record of TLS wake a connection but give it no more
// time.
func TestPartOfARecordGivesNoTime(t *testing.T) {
	p := newParking(t, true)
	p.server.Timeouts = Timeouts{Idle: time.Hour}
	p.start()
	plain := p.proxy.dial()
	slow := &slowWriter{Conn: plain.Conn}
	c := newClient(t, tls.Client(slow, p.over))
	c.get(204)
	p.parks(0, 1)
	last := p.served()
	slow.between = func() {
		wait.For(t, "it is parked again", func() bool { now := p.served(); return now.ticket > last.ticket })
		if now := p.served(); !now.due.Equal(last.due) {
			t.Errorf("it has until %v, had until %v", now.due, last.due)
		}
		last = p.served()
	}
	c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	slow.between = nil
	c.answer("GET", 204)
}

// served returns the first that is parked and was served; zero for none.
func (p *parking) served() (first parked) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	if at := p.server.served.first; at != nil {
		first.ticket, first.due = at.ticket, at.due
	}
	return first
}

// slowWriter waits within each write.
type slowWriter struct {
	net.Conn
	between func()
}

func (s *slowWriter) Write(p []byte) (int, error) {
	if s.between == nil {
		return s.Conn.Write(p)
	}
	for i := range p[:3] {
		if _, err := s.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
		s.between()
	}
	n, err := s.Conn.Write(p[3:])
	return n + 3, err
}

// A connection that was parked before it spoke may speak HTTP/2.
func TestPrefaceAfterParking(t *testing.T) {
	p := newParking(t, false)
	given := make(chan []byte, 1)
	p.server.Preface = func(c net.Conn, read []byte) {
		given <- read
		c.Close()
	}
	p.start()
	c := p.dial()
	p.parks(1, 0)
	c.send(preface)
	if got := string(<-given); got != preface {
		t.Errorf("handed over with %q", got)
	}
	c.ended()
	if p.ended.Load() != 0 || p.server.Open() != 0 {
		t.Error("it has not ended here, and is no connection of this server's")
	}
}

// Neither a parked connection's backend nor its pool holds a buffer for it.
func TestIdleBackendsHoldNoBuffer(t *testing.T) {
	p := newProxy(t, backend(t, func(c *client) {
		for c.request() != nil {
			c.send(okAnswer)
		}
	}), ways["raw"]).start()
	p.dial().get(200)
	wait.For(t, "one idle connection", func() bool { return p.pool.Idle() == 1 })
	p.pool.mu.Lock()
	defer p.pool.mu.Unlock()
	if in := p.pool.idle[0].in; in.buf != nil || in.pooled != nil || in.spilt != nil {
		t.Error("an idle connection with a backend holds a buffer")
	}
}
