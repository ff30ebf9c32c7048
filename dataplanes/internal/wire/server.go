package wire

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/h1"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/h2"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// Config is what a server is made of.
type Config struct {
	Handler  exchange.Handler
	Timeouts ir.ServerTimeouts
	Limits   ir.Limits
	Slashes  requestpath.Slashes
	// Refused is told of a connection that was ended because of what its client has
	// sent or left out, with a reason from a fixed list. It must not block.
	Refused func(port uint16, reason string)
	// Panicked is told of an exchange that did, and that was cut off, while the stack
	// still stands.
	Panicked func(value any)
}

// Server serves connections that others accepted. Its settings never change:
// new settings are a new Server, and the old one is retired.
type Server struct {
	config  Config
	one     *h1.Server
	two     *h2.Server
	holders holders
}

var _ exchange.Handler = (*Server)(nil)

// New returns a server that waits for connections.
func New(config Config) *Server {
	s := &Server{config: config}
	s.one, s.two = s.newHTTP1(), s.newHTTP2()
	return s
}

// newHTTP1 returns the server of connections that speak HTTP/1.1.
func (s *Server) newHTTP1() *h1.Server {
	header, t := s.headerBytes(), s.config.Timeouts
	return &h1.Server{
		Handler: s,
		Limits: h1.Limits{
			HeadBytes: header, TargetBytes: header, Fields: s.config.Limits.RequestHeaderCount,
			BodyBytes: s.config.Limits.RequestBodyBytes, Rate: s.config.Limits.MinBodyBytesPerSecond,
		},
		Timeouts: h1.Timeouts{
			Idle: time.Duration(t.Idle), Head: time.Duration(t.RequestHeader),
			Read: time.Duration(t.Stall), Write: time.Duration(t.Stall),
		},
		Slashes: s.config.Slashes, Panicked: s.config.Panicked,
		Ended:   s.holders.remove,
		Preface: func(c net.Conn, read []byte) { go s.serveHTTP2(c, read) },
	}
}

// newHTTP2 returns the server of connections that speak HTTP/2.
func (s *Server) newHTTP2() *h2.Server {
	header, t := s.headerBytes(), s.config.Timeouts
	return &h2.Server{
		Handler: s,
		Limits: h2.Limits{
			HeadBytes: header, TargetBytes: header, Fields: s.config.Limits.RequestHeaderCount,
			BodyBytes: s.config.Limits.RequestBodyBytes, Rate: s.config.Limits.MinBodyBytesPerSecond,
			Streams: s.config.Limits.ConcurrentStreams,
		},
		Timeouts: h2.Timeouts{
			Idle: time.Duration(t.Idle), Head: time.Duration(t.RequestHeader),
			Read: time.Duration(t.Stall), Write: time.Duration(t.Stall),
		},
		Slashes: s.config.Slashes, Panicked: s.config.Panicked,
		Refused: s.refused,
	}
}

// refused counts connections. What a stream does wrong concerns its client alone.
func (s *Server) refused(about *exchange.Conn, why *h2.Error) {
	if why.Scope == h2.OfConnection && s.config.Refused != nil {
		s.config.Refused(about.Port, "http2-"+why.Reason)
	}
}

func (s *Server) headerBytes() int {
	const none = 1 << 20
	if n := s.config.Limits.RequestHeaderBytes; n > 0 {
		return n
	}
	return none
}

// Serve answers a request.
func (s *Server) Serve(ctx context.Context, in exchange.Incoming) exchange.Answer {
	answer := s.config.Handler.Serve(ctx, in)
	if s.holders.retired.Load() {
		answer.Response.Close = true
	}
	return answer
}

// ServeConn takes a connection; on a server that drains, it closes it. It is
// false, and the connection is the caller's, once the server is gone.
func (s *Server) ServeConn(c net.Conn) bool {
	if !s.holders.add() {
		return false
	}
	secure, overTLS := c.(*tls.Conn)
	if overTLS && secure.ConnectionState().NegotiatedProtocol == "h2" {
		go s.serveHTTP2(c, nil)
		return true
	}
	go s.one.Serve(context.Background(), c)
	return true
}

// serveHTTP2 serves a connection of which something may have been read.
func (s *Server) serveHTTP2(c net.Conn, read []byte) {
	defer s.holders.remove()
	s.two.Serve(context.Background(), c, read)
}

// Retire asks clients to go with the next response of each (GOAWAY, Connection:
// close), and cuts nobody off.
func (s *Server) Retire() { s.holders.retired.Store(true) }

// Gone says whether a server that was retired has no connection left.
func (s *Server) Gone() bool { return s.holders.close() }

// Drain asks clients to go (GOAWAY, Connection: close), serves what is under
// way until the context ends, and then closes the rest.
func (s *Server) Drain(ctx context.Context) {
	s.one.Drain()
	s.two.Drain()
	if !s.one.Wait(ctx) {
		s.one.Close()
	}
	if !s.two.Wait(ctx) {
		s.two.Close()
	}
}
