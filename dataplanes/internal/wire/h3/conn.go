package h3

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
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
	// over is true for a connection that has ended.
	over bool
	// most is how many may be under way, those included whose client has reset them
	// and whose handler has not noticed yet.
	most     int64
	patience patience
	// flooded is true once the client has spent it.
	flooded bool
}

var _ http.Handler = (*conn)(nil)

func newConn(s *Server, q *quic.Conn, about *exchange.Conn) *conn {
	c := &conn{server: s, quic: q, about: about, most: s.streams(), patience: newPatience()}
	c.http = &http3.Server{
		Handler: c, MaxHeaderBytes: headerBytes(s.config.Load()),
		// What clients do wrong is theirs to know, and would fill the log.
		Logger: slog.New(slog.DiscardHandler),
	}
	return c
}

// headerBytes is what quic-go may read of a header. It is twice the limit, which
// is held at the door, where refusals are logged: quic-go counts 32 octets more
// for each field, and may hold so much for each header that has not come whole.
func headerBytes(config *Config) int {
	const none = 1 << 20
	if config.Limits.RequestHeaderBytes <= 0 {
		return none
	}
	return 2 * config.Limits.RequestHeaderBytes
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
	c.over = true
}

// ServeHTTP serves one request.
func (c *conn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !c.begin() {
		reject(w)
		return
	}
	reset := false
	defer func() {
		// Quic-go writes what it has buffered after this; the context ends with that.
		context.AfterFunc(r.Context(), func() { c.done(reset) })
	}()
	defer c.recover()
	c.exchange(w, r, &reset)
}

// recover tells of a panic, and leaves it to quic-go to reset the stream, which
// says nothing of those that are no fault.
func (c *conn) recover() {
	v := recover()
	if v == nil {
		return
	}
	//nolint:errorlint // A panic's value is that and no other.
	if panicked := c.server.config.Load().Panicked; v != any(http.ErrAbortHandler) && panicked != nil {
		panicked(v)
	}
	panic(http.ErrAbortHandler)
}

// begin is false where too many requests are under way: a client that takes them
// back may make others before we have noticed.
func (c *conn) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if int64(c.active) >= c.most {
		return false
	}
	c.active++
	c.rest.Stop()
	return true
}

// reject says that nothing was done, so that the request is safe to send again
// (RFC 9114, section 4.1.1).
func reject(w http.ResponseWriter) {
	const rejected = quic.StreamErrorCode(http3.ErrCodeRequestRejected)
	if streamer, ok := w.(http3.HTTPStreamer); ok {
		if s, err := streamer.HTTPStream(); err == nil {
			s.CancelRead(rejected)
			s.CancelWrite(rejected)
		}
	}
}

// done notes the end of a request, which the client may have taken back.
func (c *conn) done(reset bool) {
	if c.settle(reset) {
		return
	}
	if refused := c.server.config.Load().Refused; refused != nil {
		refused(c.about.Port, "http3-flood")
	}
	_ = c.quic.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad), "")
}

// settle is false for a client that has caused too much work for nothing, once.
func (c *conn) settle(reset bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active--; c.active == 0 {
		c.wait()
	}
	if !reset {
		c.patience.earn()
		return true
	}
	// Those of a connection that has ended were not taken back one by one.
	if c.flooded || c.quic.Context().Err() != nil || c.patience.spend() {
		return true
	}
	c.flooded = true
	return false
}

// forever is longer than any connection lives.
const forever = 100 * 365 * 24 * time.Hour

// wait has the connection end when nothing was asked for in too long. Streams on
// which no whole header has come do not count as asking. The lock is held.
func (c *conn) wait() {
	// After GOAWAY a client has time to see it, and to close by itself.
	const goodbye, trips = time.Second, 4
	bound := time.Duration(c.server.config.Load().Timeouts.Idle)
	switch {
	case c.over:
		return
	case c.leaving:
		// What was lost of the last response takes some round trips to come again.
		bound = goodbye + trips*c.quic.ConnectionStats().SmoothedRTT
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

// exchange takes one request in and its response out. It says whether the client
// has taken the request back before there was one.
func (c *conn) exchange(w http.ResponseWriter, r *http.Request, reset *bool) {
	config := c.server.config.Load()
	control := http.NewResponseController(w)
	wait := newStall(control, config)
	out := &outgoing{w: w, control: control, request: r, stall: wait, interim: &interim{w: w, stall: wait}}
	defer out.end()
	d := &door{config: config, about: c.about, client: c.client(), request: r, stall: wait, interim: out.interim}
	in := d.read()
	out.key = d.key
	answer := config.Handler.Serve(r.Context(), *in)
	*reset = r.Context().Err() != nil
	out.response = answer.Response
	if out.response.Close {
		c.goAway()
	}
	out.finish(answer)
}
