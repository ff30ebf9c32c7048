package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/wire/h1"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// Config is what a server is made of.
type Config struct {
	Handler  exchange.Handler
	Timeouts ir.ServerTimeouts
	Limits   ir.Limits
	Slashes  requestpath.Slashes
}

// Server serves connections that others accepted. Its settings never change:
// new settings are a new Server, and the old one is retired.
type Server struct {
	config  Config
	one     *h1.Server
	http    *http.Server
	queue   *queue
	holders holders
}

var _ exchange.Handler = (*Server)(nil)

// New returns a server that waits for connections.
func New(config Config) *Server {
	s := &Server{config: config, queue: newQueue()}
	s.one = s.newHTTP1()
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ReadHeaderTimeout: time.Duration(config.Timeouts.RequestHeader),
		IdleTimeout:       time.Duration(config.Timeouts.Idle),
		MaxHeaderBytes:    headerBytes(config.Limits),
		ConnContext:       withConn,
		ConnState:         s.holders.follow,
		// What clients do wrong is theirs to know, and would fill the log.
		ErrorLog:  log.New(io.Discard, "", 0),
		Protocols: protocols(),
		HTTP2:     &http.HTTP2Config{MaxConcurrentStreams: config.Limits.ConcurrentStreams},
	}
	go s.http.Serve(s.queue) //nolint:errcheck // It ends with http.ErrServerClosed alone.
	return s
}

// newHTTP1 returns the server of connections that speak HTTP/1.1.
func (s *Server) newHTTP1() *h1.Server {
	const none = 1 << 20
	header := s.config.Limits.RequestHeaderBytes
	if header <= 0 {
		header = none
	}
	t := s.config.Timeouts
	return &h1.Server{
		Handler: s,
		Limits:  h1.Limits{HeadBytes: header, TargetBytes: header, BodyBytes: s.config.Limits.RequestBodyBytes},
		Timeouts: h1.Timeouts{
			Idle: time.Duration(t.Idle), Head: time.Duration(t.RequestHeader),
			Read: time.Duration(t.Stall), Write: time.Duration(t.Stall),
		},
		Slashes: s.config.Slashes,
		Ended:   s.holders.remove,
		Preface: func(c net.Conn, read []byte) { s.serveHTTP2(&begun{Conn: c, read: read}) },
	}
}

// protocols leave HTTP/1.1 to the other server.
func protocols() *http.Protocols {
	p := &http.Protocols{}
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// headerBytes is what net/http may read of a header. It is several times the
// limit, which is held at the door: net/http answers an HTTP/2 client that is
// over it by closing the connection.
func headerBytes(l ir.Limits) int {
	const none = 1 << 26
	if l.RequestHeaderBytes <= 0 {
		return none
	}
	return 4 * l.RequestHeaderBytes
}

// Serve answers a request of HTTP/1.1.
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
		s.serveHTTP2(c)
		return true
	}
	go s.one.Serve(context.Background(), c)
	return true
}

// serveHTTP2 hands a connection to net/http.
func (s *Server) serveHTTP2(c net.Conn) {
	if !s.queue.put(c) {
		s.holders.remove()
	}
}

// Retire asks clients to go with the next response of each (GOAWAY, Connection:
// close), and cuts nobody off.
func (s *Server) Retire() { s.holders.retired.Store(true) }

// Gone says whether a server that was retired has no connection left, and ends
// it then.
func (s *Server) Gone() bool {
	if !s.holders.close() {
		return false
	}
	s.http.Close()
	return true
}

// Drain asks clients to go (GOAWAY, Connection: close), serves what is under
// way until the context ends, and then closes the rest.
func (s *Server) Drain(ctx context.Context) {
	s.one.Drain()
	err := s.http.Shutdown(ctx)
	if err != nil && errors.Is(err, ctx.Err()) {
		s.http.Close()
	}
	if !s.one.Wait(ctx) {
		s.one.Close()
	}
}

// begun is a connection of which something was read already.
type begun struct {
	net.Conn
	read []byte
}

// NetConn returns the connection.
func (b *begun) NetConn() net.Conn { return b.Conn }

// Read reads what was read once more, and then on.
func (b *begun) Read(p []byte) (int, error) {
	if len(b.read) > 0 {
		n := copy(p, b.read)
		b.read = b.read[n:]
		return n, nil
	}
	return b.Conn.Read(p)
}

type connKey struct{}

// withConn finds what listen knows about a connection, below others if need be.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if below, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = below.NetConn()
	}
	about := &exchange.Conn{}
	if carrier, ok := c.(exchange.Carrier); ok {
		about = carrier.Exchange()
	}
	return context.WithValue(ctx, connKey{}, about)
}

// queue is a net.Listener that is handed its connections.
type queue struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

var _ net.Listener = (*queue)(nil)

func newQueue() *queue { return &queue{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (q *queue) put(c net.Conn) bool {
	select {
	case q.conns <- c:
		return true
	case <-q.closed:
		c.Close()
		return false
	}
}

// Accept returns the next connection that was handed over.
func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (q *queue) Close() error {
	q.once.Do(func() { close(q.closed) })
	return nil
}

// Addr is unknown: connections come from many sockets.
func (q *queue) Addr() net.Addr { return &net.TCPAddr{} }
