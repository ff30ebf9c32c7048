package h1

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// Server runs connections with clients. Its fields must not change once Serve
// was called.
type Server struct {
	// Handler is called by one goroutine for each connection. It is asked about
	// refused requests too, and its answer to one is the connection's last. The
	// body of an answer is read to its end or to the first error, and closed once.
	//
	// The context ends with the connection, and soon after a client has gone away.
	Handler  exchange.Handler
	Limits   Limits
	Timeouts Timeouts
	Slashes  requestpath.Slashes
	// Panicked is told of a handler that did, if it is not nil. Its connection is
	// closed.
	Panicked func(value any)
	// Ended is told once of each connection that has ended here, if it is not nil;
	// not of those that Preface has taken.
	Ended func()
	// Preface takes a connection without TLS over that begins with the preface of
	// HTTP/2, of which read is what has come. Nil refuses it.
	Preface func(c net.Conn, read []byte)

	prepared sync.Once
	limits   Limits
	draining atomic.Bool
	mu       sync.Mutex
	sessions map[*session]struct{}
	// fresh and served are parked, and are no sessions.
	fresh, served row
	watching      bool
	// waited counts the glances since the server began to drain.
	waited int
	// empty is closed when a server that drains has no connection left.
	empty chan struct{}
}

func (s *Server) prepare() {
	s.limits = s.Limits.withDefaults()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions, s.empty = map[*session]struct{}{}, make(chan struct{})
}

// Serve runs a connection until it ends, and closes it, or until it is parked:
// then the server goes on with it when it has something to say. What is known
// about it comes from the exchange.Carrier that it is, or that is below its TLS.
func (s *Server) Serve(ctx context.Context, c net.Conn) {
	s.prepared.Do(s.prepare)
	session := newSession(s, carried{ctx: ctx, given: c, moment: moment})
	if !s.add(session) {
		session.life.cut()
		session.conn.Close()
		s.ended()
		return
	}
	session.serve()
}

func (s *Server) ended() {
	if s.Ended != nil {
		s.Ended()
	}
}

func (s *Server) add(session *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	s.sessions[session] = struct{}{}
	if !s.watching {
		s.watching = true
		go s.watch()
	}
	return true
}

// remove ends a session.
func (s *Server) remove(session *session) {
	s.mu.Lock()
	delete(s.sessions, session)
	s.signal()
	s.mu.Unlock()
	if read := session.handOver; read != nil {
		s.Preface(session.given, read)
		return
	}
	session.conn.Close()
	s.ended()
}

func (s *Server) signal() {
	if !s.draining.Load() || s.count() > 0 {
		return
	}
	select {
	case <-s.empty:
	default:
		close(s.empty)
	}
}

// count returns the number of connections.
func (s *Server) count() int { return len(s.sessions) + s.fresh.len + s.served.len }

// glance is how often is looked for clients that have gone away. A look at each
// request would cost more than most requests take.
const glance = 200 * time.Millisecond

// watch looks after the connections as long as there are any.
func (s *Server) watch() {
	ticks := time.NewTicker(glance)
	defer ticks.Stop()
	for range ticks.C {
		if !s.look() {
			return
		}
	}
}

func (s *Server) look() bool {
	more, over := s.lookAll(time.Now())
	s.closeParked(over)
	return more
}

func (s *Server) lookAll(now time.Time) (more bool, over []*parked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for session := range s.sessions {
		session.look()
	}
	over = s.overdue(now)
	s.signal()
	s.watching = s.count() > 0
	return s.watching, over
}

// Drain closes the connections that are idle, and each of the others with its
// next answer. It does not wait. Connections that come later are closed.
func (s *Server) Drain() {
	s.prepared.Do(s.prepare)
	s.closeParked(s.drain())
}

func (s *Server) drain() []*parked {
	s.draining.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	for session := range s.sessions {
		session.drain()
	}
	over := s.served.takeAll(time.Time{})
	s.signal()
	return over
}

// Wait waits until a server that drains has no connection left, or the context
// ends, and says which.
func (s *Server) Wait(ctx context.Context) bool {
	select {
	case <-s.empty:
		return true
	case <-ctx.Done():
		return false
	}
}

// Close closes every connection, whatever it does.
func (s *Server) Close() {
	s.Drain()
	s.closeParked(s.abort())
}

func (s *Server) abort() []*parked {
	s.mu.Lock()
	defer s.mu.Unlock()
	for session := range s.sessions {
		session.conn.Abort()
		session.life.cut()
	}
	over := s.fresh.takeAll(time.Time{})
	s.signal()
	return over
}

// Open returns the number of connections.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count()
}
