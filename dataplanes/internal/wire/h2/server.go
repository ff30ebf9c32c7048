package h2

import (
	"context"
	"net"
	"sync"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// Server runs connections with clients. Its fields must not change once Serve
// was called.
type Server struct {
	// Handler is called by one goroutine for each stream. It is asked about refused
	// requests too, but not about malformed ones, whose streams are reset. The body
	// of an answer is read to its end or to the first error, and closed once; that of
	// the request may be read meanwhile, by another goroutine too.
	//
	// The context ends with the stream: when the client resets it or goes.
	Handler  exchange.Handler
	Limits   Limits
	Timeouts Timeouts
	Slashes  requestpath.Slashes
	// Panicked is told of a handler that did, if it is not nil. Its stream is reset.
	Panicked func(value any)
	// Refused is told why a stream was reset or a connection ended that its client
	// has not used as it must, if it is not nil. It must not block.
	Refused func(about *exchange.Conn, why *Error)

	prepared sync.Once
	limits   Limits
	mu       sync.Mutex
	draining bool
	sessions map[*session]struct{}
	// empty is closed when a server that drains has no connection left.
	empty chan struct{}
}

func (s *Server) prepare() {
	s.limits = s.Limits.withDefaults()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions, s.empty = map[*session]struct{}{}, make(chan struct{})
}

// Serve runs a connection until it ends and its handlers have returned, and
// closes it. early is what was read of it already, the preface included. What
// is known about it comes from the exchange.Carrier that it is, or that is below
// its TLS.
func (s *Server) Serve(ctx context.Context, c net.Conn, early []byte) {
	s.prepared.Do(s.prepare)
	session := newSession(ctx, s, c)
	session.in.early = early
	if !s.add(session) {
		c.Close()
		return
	}
	defer s.remove(session)
	session.run()
}

func (s *Server) add(session *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.sessions[session] = struct{}{}
	return true
}

func (s *Server) remove(session *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, session)
	s.signal()
}

func (s *Server) signal() {
	if !s.draining || len(s.sessions) > 0 {
		return
	}
	select {
	case <-s.empty:
	default:
		close(s.empty)
	}
}

// Drain asks every client to make a new connection for its next request, and
// closes each connection when its streams have ended. It does not wait.
// Connections that come later are closed.
func (s *Server) Drain() { s.each((*session).drain) }

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

// Close ends every connection, whatever it does.
func (s *Server) Close() { s.each((*session).cut) }

func (s *Server) each(do func(*session)) {
	s.prepared.Do(s.prepare)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	for session := range s.sessions {
		do(session)
	}
	s.signal()
}

// Open returns the number of connections.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}
