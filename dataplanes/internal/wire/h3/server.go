package h3

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// Config is what requests are held to.
type Config struct {
	Handler  exchange.Handler
	Timeouts ir.ServerTimeouts
	Limits   ir.Limits
	Slashes  requestpath.Slashes
	// Refused is told of a connection that was ended because of what its client does,
	// with a reason from a fixed list; nil tells nobody. It must not block.
	Refused func(port uint16, reason string)
	// Panicked is told of a request that did, and whose stream is reset; nil tells
	// nobody.
	Panicked func(value any)
}

// Server serves connections that others accepted. Unlike servers of the other
// versions it outlives its settings: a change holds for the next request of each
// connection, and only what QUIC itself was told (QUIC, the size of a header)
// stays as it was when the connection was made.
type Server struct {
	config atomic.Pointer[Config]

	mu       sync.Mutex
	conns    map[*conn]struct{}
	draining bool
	running  sync.WaitGroup
}

// New returns a server without connections.
func New(config Config) *Server {
	s := &Server{conns: map[*conn]struct{}{}}
	s.Configure(config)
	return s
}

// Configure changes the settings.
func (s *Server) Configure(config Config) { s.config.Store(&config) }

// noCode says that nothing is wrong (RFC 9114, section 8.1).
const noCode = quic.ApplicationErrorCode(http3.ErrCodeNoError)

// QUIC is what new connections are told, and held to.
func (s *Server) QUIC() *quic.Config {
	const (
		// Control, encoder and decoder are three (RFC 9114, section 6.2), and clients
		// open others to see that they are ignored.
		uniStreams = 16
		// A client that has gone without a word is noticed after silence; keepAlive
		// keeps those whose backend thinks for longer. What is idle is ended by us.
		silence   = time.Minute
		keepAlive = 20 * time.Second
		// What one client may have us hold for backends that are slow to read.
		streamWindow, connWindow = 1 << 20, 4 << 20
	)
	return &quic.Config{
		MaxIncomingStreams: s.streams(), MaxIncomingUniStreams: uniStreams,
		MaxIdleTimeout: silence, KeepAlivePeriod: keepAlive,
		MaxStreamReceiveWindow: streamWindow, MaxConnectionReceiveWindow: connWindow,
		// A request in early data can be sent again by whoever saw it (RFC 8470).
		Allow0RTT: false,
	}
}

// streams is how many requests of a new connection may be under way.
func (s *Server) streams() int64 {
	// Limits say "no bound" with 0, and QUIC has none to say it with.
	const most = 1 << 16
	if streams := s.config.Load().Limits.ConcurrentStreams; streams > 0 {
		return int64(streams)
	}
	return most
}

// Serve serves a connection until it has ended.
func (s *Server) Serve(q *quic.Conn, about *exchange.Conn) {
	c := newConn(s, q, about)
	if !s.add(c) {
		_ = q.CloseWithError(noCode, "")
		return
	}
	defer s.remove(c)
	c.serve()
}

// add is false on a server that drains.
func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.running.Add(1)
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.running.Done()
}

// all returns the connections; from now on there are no new ones if stop is set.
func (s *Server) all(stop bool) []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = s.draining || stop
	all := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	return all
}

// Drain asks clients to go (GOAWAY), serves what is under way until the context
// ends, and then closes the rest.
func (s *Server) Drain(ctx context.Context) {
	for _, c := range s.all(true) {
		c.goAway()
	}
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		s.Close()
		<-ended
	}
}

// Close closes every connection.
func (s *Server) Close() {
	for _, c := range s.all(true) {
		_ = c.quic.CloseWithError(noCode, "")
	}
}
