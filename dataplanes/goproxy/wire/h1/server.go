package h1

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
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
	// Preface takes a connection without TLS over that begins with the preface of
	// HTTP/2, of which read is what has come. Nil refuses it.
	Preface func(c net.Conn, read []byte)

	prepared sync.Once
	limits   Limits
	draining atomic.Bool
	mu       sync.Mutex
	sessions map[*session]struct{}
	watching bool
	// empty is closed when a server that drains has no connection left.
	empty chan struct{}
}

func (s *Server) prepare() {
	s.limits = s.Limits.withDefaults()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions, s.empty = map[*session]struct{}{}, make(chan struct{})
}

// Serve runs a connection until it ends, and closes it. What is known about it
// comes from the exchange.Carrier that it is, or that is below its TLS. It is
// false for a connection that Preface has taken over.
func (s *Server) Serve(ctx context.Context, c net.Conn) bool {
	s.prepared.Do(s.prepare)
	session := newSession(ctx, s, c)
	defer session.life.cut()
	if !s.add(session) {
		session.conn.Close()
		return true
	}
	session.run()
	return s.remove(session)
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

// remove ends a session; it is false if its connection lives on elsewhere.
func (s *Server) remove(session *session) bool {
	s.mu.Lock()
	delete(s.sessions, session)
	s.signal()
	s.mu.Unlock()
	if read := session.handOver; read != nil {
		s.Preface(session.given, read)
		return false
	}
	session.conn.Close()
	return true
}

func (s *Server) signal() {
	if !s.draining.Load() || len(s.sessions) > 0 {
		return
	}
	select {
	case <-s.empty:
	default:
		close(s.empty)
	}
}

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
	s.mu.Lock()
	defer s.mu.Unlock()
	for session := range s.sessions {
		session.look()
	}
	s.watching = len(s.sessions) > 0
	return s.watching
}

// Drain closes the connections that are idle, and each of the others with its
// next answer. It does not wait. Connections that come later are closed.
func (s *Server) Drain() {
	s.prepared.Do(s.prepare)
	s.draining.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	for session := range s.sessions {
		session.drain()
	}
	s.signal()
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
	s.mu.Lock()
	defer s.mu.Unlock()
	for session := range s.sessions {
		session.conn.Abort()
		session.life.cut()
	}
}

// Open returns the number of connections.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}
