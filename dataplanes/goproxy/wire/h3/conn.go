package h3

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
)

// conn is one connection. Each has an http3.Server of its own, as that asks all
// its clients to go at once, and not one of them.
type conn struct {
	server *Server
	quic   *quic.Conn
	about  *exchange.Conn
	http   *http3.Server

	mu sync.Mutex
	// active counts the requests under way; rest ends the connection some time
	// after the last one.
	active  int
	rest    *time.Timer
	leaving bool
}

var _ http.Handler = (*conn)(nil)

func newConn(s *Server, q *quic.Conn, about *exchange.Conn) *conn {
	c := &conn{server: s, quic: q, about: about}
	c.http = &http3.Server{
		Handler: c, MaxHeaderBytes: headerBytes(s.config.Load()),
		// What clients do wrong is theirs to know, and would fill the log.
		Logger: slog.New(slog.DiscardHandler),
	}
	return c
}

// headerBytes is what quic-go may read of a header. It is several times the
// limit, which is held at the door, where refusals are logged.
func headerBytes(config *Config) int {
	const none = 1 << 20
	if config.Limits.RequestHeaderBytes <= 0 {
		return none
	}
	return 4 * config.Limits.RequestHeaderBytes
}

func (c *conn) serve() {
	c.mu.Lock()
	c.wait()
	c.mu.Unlock()
	_ = c.http.ServeQUICConn(c.quic)
	_ = c.quic.CloseWithError(noCode, "")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rest.Stop()
}

// ServeHTTP serves one request.
func (c *conn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.begin()
	defer c.done()
	c.exchange(w, r)
}

func (c *conn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active++
	c.rest.Stop()
}

func (c *conn) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active--; c.active == 0 {
		c.wait()
	}
}

// forever is longer than any connection lives.
const forever = 100 * 365 * 24 * time.Hour

// wait has the connection end when nothing was asked for in too long. Streams on
// which no whole header has come do not count as asking. The lock is held.
func (c *conn) wait() {
	// After GOAWAY a client has time to see it, and to close by itself.
	const goodbye = time.Second
	bound := time.Duration(c.server.config.Load().Timeouts.Idle)
	switch {
	case c.leaving:
		bound = goodbye
	case bound <= 0:
		bound = forever
	}
	if c.rest == nil {
		c.rest = time.AfterFunc(bound, c.end)
		return
	}
	c.rest.Reset(bound)
}

func (c *conn) end() {
	c.mu.Lock()
	idle := c.active == 0
	c.mu.Unlock()
	if idle {
		_ = c.quic.CloseWithError(noCode, "")
	}
}

// goAway asks the client to make its next requests elsewhere. Those that it has
// sent already are rejected as never begun, and safe to send again (RFC 9114,
// section 5.2).
func (c *conn) goAway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving {
		return
	}
	c.leaving = true
	// It returns when the connection has ended.
	go func() { _ = c.http.Shutdown(c.quic.Context()) }()
	if c.active == 0 && c.rest != nil {
		c.wait()
	}
}

// client is where the client is now: QUIC has proved each new address of its.
func (c *conn) client() netip.AddrPort {
	udp, ok := c.quic.RemoteAddr().(*net.UDPAddr)
	if !ok {
		return c.about.Client
	}
	ap := udp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// exchange takes one request in and its response out.
func (c *conn) exchange(w http.ResponseWriter, r *http.Request) {
	config := c.server.config.Load()
	control := http.NewResponseController(w)
	out := &outgoing{
		w: w, control: control, request: r,
		stall: &stall{control: control, bound: time.Duration(config.Timeouts.Stall)},
	}
	defer out.end()
	d := &door{config: config, about: c.about, client: c.client(), request: r, stall: out.stall}
	in := d.read()
	if in.Refused == 0 && d.expects {
		w.WriteHeader(http.StatusContinue)
	}
	out.key = d.key
	answer := config.Handler.Serve(r.Context(), *in)
	out.response = answer.Response
	if out.response.Close {
		c.goAway()
	}
	out.finish(answer)
}
