package wire

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// Handler answers requests.
type Handler interface {
	// Serve answers one request. The context ends when the client has gone. The
	// answer's Response is never nil.
	Serve(context.Context, Incoming) Answer
}

// Incoming is a request and the connection that it came on.
type Incoming struct {
	Request *exchange.Request
	Conn    *exchange.Conn
	// Refused is the status that the door asks for, with why in Reason; 0 for a
	// request that may pass. Such a request must be answered and not served.
	Refused int
	Reason  string
}

// Answer is a response and who wants to know what became of it.
type Answer struct {
	Response *exchange.Response
	// Done is called once, when nothing more will be sent.
	Done func(Sent)
}

// Sent is what became of a response.
type Sent struct {
	// Bytes of the body, or of a tunnel towards the client.
	Bytes int64
	// Err is set where the response was cut off.
	Err error
}

// Config is what a server is made of.
type Config struct {
	Handler  Handler
	Timeouts ir.ServerTimeouts
	Limits   ir.Limits
	Slashes  requestpath.Slashes
}

// Server serves connections that others accepted. Its settings never change:
// new settings are a new Server, and the old one is retired.
type Server struct {
	config  Config
	http    *http.Server
	queue   *queue
	tunnels tunnels
	holders holders
}

// New returns a server that waits for connections.
func New(config Config) *Server {
	s := &Server{config: config, queue: newQueue()}
	s.tunnels.idle = make(chan struct{})
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

func protocols() *http.Protocols {
	p := &http.Protocols{}
	p.SetHTTP1(true)
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

// ServeConn takes a connection; on a server that drains, it closes it. It is
// false, and the connection is the caller's, once the server is gone.
func (s *Server) ServeConn(c net.Conn) bool {
	if !s.holders.add() {
		return false
	}
	if !s.queue.put(watchFraming(c)) {
		s.holders.remove()
	}
	return true
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
	err := s.http.Shutdown(ctx)
	if err != nil && errors.Is(err, ctx.Err()) {
		s.http.Close()
	}
	s.tunnels.drain(ctx)
}

type connKey struct{}

// withConn finds what listen knows about a connection, below TLS if need be.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if f, ok := c.(*framed); ok {
		ctx = context.WithValue(ctx, framedKey{}, f)
		c = f.NetConn()
	}
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
