package h1

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// patience is how long a test waits before it says that it would wait forever.
const patience = 20 * time.Second

// proxy is a Server before a Pool.
type proxy struct {
	t      testing.TB
	server *Server
	pool   *Pool
	addr   string
	wrap   func(net.Conn) net.Conn
	log    *observer
}

type observer struct {
	mu       sync.Mutex
	refused  []string
	errors   []error
	panicked int
}

var _ exchange.Ender = (*observer)(nil)

func (o *observer) Done(s exchange.Sent) {
	if s.Err == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.errors = append(o.errors, s.Err)
}

func (o *observer) refuse(reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused = append(o.refused, reason)
}

// handler is a Handler that is a function of ordinary requests.
type handler struct {
	log   *observer
	serve func(ctx context.Context, q *exchange.Request) *exchange.Response
}

var _ exchange.Handler = (*handler)(nil)

func (h *handler) Serve(ctx context.Context, in exchange.Incoming) exchange.Answer {
	if in.Refused != 0 {
		h.log.refuse(in.Reason)
		return exchange.Answer{Response: &exchange.Response{Status: in.Refused}, Ender: h.log}
	}
	return exchange.Answer{Response: h.serve(ctx, in.Request), Ender: h.log}
}

func (o *observer) Panicked(any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.panicked++
}

// ways are the kinds of connection that everything must work over.
var ways = map[string]func(net.Conn) net.Conn{
	"raw":   func(c net.Conn) net.Conn { return rawconn.New(c) },
	"plain": func(c net.Conn) net.Conn { return rawconn.Plain(c) },
}

func eachWay(t *testing.T, f func(t *testing.T, wrap func(net.Conn) net.Conn)) {
	t.Helper()
	for name, wrap := range ways {
		t.Run(name, func(t *testing.T) { f(t, wrap) })
	}
}

// newProxy starts a proxy before the backend at addr.
func newProxy(t testing.TB, backend string, wrap func(net.Conn) net.Conn) *proxy {
	t.Helper()
	p := &proxy{t: t, wrap: wrap, log: &observer{}}
	p.pool = &Pool{Dial: func(ctx context.Context) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", backend)
		if err != nil {
			return nil, err
		}
		return wrap(c), nil
	}}
	p.server = &Server{Panicked: p.log.Panicked}
	p.handle(p.serve)
	return p
}

// handle puts another handler in the place of the pool's.
func (p *proxy) handle(serve func(ctx context.Context, q *exchange.Request) *exchange.Response) {
	p.server.Handler = &handler{p.log, serve}
}

func (p *proxy) serve(ctx context.Context, q *exchange.Request) *exchange.Response {
	answer, err := p.pool.Do(ctx, exchange.Ask{Request: q})
	if err == nil {
		return answer
	}
	var why *Error
	switch {
	case err == exchange.ErrStalled:
		return &exchange.Response{Status: 408}
	case errors.As(err, &why):
		return &exchange.Response{Status: why.Status}
	case err == exchange.ErrBodyTooLarge:
		return &exchange.Response{Status: 413}
	default:
		return &exchange.Response{Status: 500}
	}
}

// start begins to accept.
func (p *proxy) start() *proxy {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	p.addr = ln.Addr().String()
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.server.Serve(context.Background(), p.wrap(c)) })
		}
	})
	p.t.Cleanup(func() {
		ln.Close()
		p.server.Close()
		p.pool.Close()
		all.Wait()
	})
	return p
}

// client is a connection with the proxy.
type client struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func (p *proxy) dial() *client {
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	return newClient(p.t, c)
}

func newClient(t testing.TB, c net.Conn) *client {
	t.Helper()
	c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return &client{t: t, Conn: c, r: bufio.NewReader(c)}
}

func (c *client) send(raw string) *client {
	c.t.Helper()
	if _, err := io.WriteString(c, raw); err != nil {
		c.t.Fatal(err)
	}
	return c
}

// answer reads one answer, and fails for another status than the wanted.
func (c *client) answer(method string, status int) *http.Response {
	c.t.Helper()
	r, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("waiting for %d: %v", status, err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatalf("the body of %d: %v", r.StatusCode, err)
	}
	if r.StatusCode != status {
		c.t.Fatalf("answer %d, want %d", r.StatusCode, status)
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	return r
}

func (c *client) get(status int) *http.Response {
	c.t.Helper()
	return c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").answer("GET", status)
}

func body(r *http.Response) string {
	b, _ := io.ReadAll(r.Body)
	return string(b)
}

// ended fails unless the other side has closed.
func (c *client) ended() {
	c.t.Helper()
	if b, err := c.r.ReadByte(); err == nil {
		c.t.Fatalf("octet %q, want the end", b)
	} else if errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		c.t.Fatal("the connection was not closed")
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// backend answers every connection with a script.
func backend(t testing.TB, script func(c *client)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { ln.Close(); all.Wait() })
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				script(&client{t: t, Conn: c, r: bufio.NewReader(c)})
			})
		}
	})
	return ln.Addr().String()
}

// request reads one request with its body, for a backend; nil at the end.
func (c *client) request() *http.Request {
	r, err := http.ReadRequest(c.r)
	if err != nil {
		return nil
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil
	}
	r.Body = io.NopCloser(strings.NewReader(string(b)))
	return r
}

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// testTLS returns a server's and a client's configuration.
func testTLS(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	t.Cleanup(s.Close)
	client = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	client.ServerName = "example.com"
	client.NextProtos = nil
	return &tls.Config{Certificates: s.TLS.Certificates}, client
}
