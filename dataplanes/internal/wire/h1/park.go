package h1

import (
	"context"
	"net"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/park"
)

// A connection waits for its next request as a goroutine at first: a client that
// is busy sends one soon, and to park and wake costs half of what a request does.
const (
	moment = 50 * time.Millisecond
	// longMoment is that of a client whose last request came within it, but just
	// after its connection was parked.
	longMoment = 20 * moment
)

// parked is a connection that waits for its next request. There is nothing else
// of it but the connection itself. It belongs to whoever takes it out of its
// server's row, under the server's lock: the wake, a drain, or its time-out.
type parked struct {
	server *Server
	// carried is what the session that was parked hands to the one that follows.
	carried
	since      time.Time
	ticket     park.Ticket
	row        *row
	prev, next *parked
}

// carried is what is known of a connection while it waits.
type carried struct {
	ctx   context.Context //nolint:containedctx // It is what Serve was given.
	given net.Conn
	// served is true once the connection has carried a request.
	served bool
	// due is when it has waited for too long; the zero time is never.
	due time.Time
	// moment is how long it waits before it is parked.
	moment time.Duration
}

var _ park.Sleeper = (*parked)(nil)

// row is what is parked and waits equally long, in the order of parking. What was
// woken for nothing stands behind some that are due later, and so may be closed
// late, by no more than the time that all wait.
type row struct {
	first, last *parked
	len         int
}

func (r *row) add(p *parked) {
	p.row, p.prev = r, r.last
	if r.last == nil {
		r.first = p
	} else {
		r.last.next = p
	}
	r.last = p
	r.len++
}

// take is false for what was taken already.
func (p *parked) take() bool {
	r := p.row
	if r == nil {
		return false
	}
	if p.prev == nil {
		r.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		r.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	p.row, p.prev, p.next = nil, nil, nil
	r.len--
	return true
}

// takeAll takes all that are due at a time; the zero time takes everything.
func (r *row) takeAll(now time.Time) []*parked {
	var all []*parked
	for p := r.first; p != nil && (now.IsZero() || !p.due.IsZero() && now.After(p.due)); p = r.first {
		p.take()
		all = append(all, p)
	}
	return all
}

// park gives back all that a connection has but the connection. It reports
// whether the session is over; a server that drains keeps it.
func (s *session) park() bool {
	lot := park.Open()
	if lot == nil || s.conn.ReadWithin(time.Time{}, 0) != nil {
		return false
	}
	p := &parked{server: s.server, carried: s.carried, since: time.Now()}
	if !s.server.enter(s, p, lot) {
		return false
	}
	// From here on the connection may be another goroutine's.
	s.parked = lot.Watch(p.ticket, s.conn) == nil || !s.server.reenter(s, p)
	return s.parked
}

// enter puts p in the place of a session.
func (s *Server) enter(session *session, p *parked, lot *park.Lot) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	delete(s.sessions, session)
	p.ticket = lot.Enter(p)
	if p.served {
		s.served.add(p)
	} else {
		s.fresh.add(p)
	}
	return true
}

// reenter puts a session in the place of p again, if p is still there.
func (s *Server) reenter(session *session, p *parked) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !p.take() {
		return false
	}
	s.sessions[session] = struct{}{}
	return true
}

// Wake goes on with a connection that has something to say.
func (p *parked) Wake() {
	if session := p.server.resume(p); session != nil {
		go session.serve()
	}
}

// resume returns the session that follows; nil for a connection that was closed.
func (s *Server) resume(p *parked) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !p.take() {
		return nil
	}
	session := newSession(s, p.carried)
	if session.moment = moment; time.Since(p.since) < longMoment {
		session.moment = longMoment
	}
	if p.served {
		session.state.Store(idle)
	}
	s.sessions[session] = struct{}{}
	return session
}

// closeParked closes what was taken. It may write, as the end of TLS is said, and
// so is not called under the lock.
func (s *Server) closeParked(all []*parked) {
	for _, p := range all {
		park.Open().Leave(p.ticket)
		p.given.Close()
		s.ended()
	}
}

// overdue takes what has waited for too long, and what a drain has given its
// moment.
func (s *Server) overdue(now time.Time) []*parked {
	if s.draining.Load() {
		if s.waited++; s.waited >= freshGlances {
			return append(s.fresh.takeAll(time.Time{}), s.served.takeAll(time.Time{})...)
		}
	}
	return append(s.fresh.takeAll(now), s.served.takeAll(now)...)
}
