package h1

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

const (
	getOne  = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	postOne = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
)

// idleEnds are the ways in which a backend ends an idle connection. Each has
// happened by the time that its channel is closed.
var idleEnds = map[string]func(c *client){
	"closed":      func(c *client) { c.Close() },
	"half-closed": func(c *client) { c.Conn.(*net.TCPConn).CloseWrite(); io.Copy(io.Discard, c.r) },
	"spoken to":   func(c *client) { c.send("HTTP/1.1 408 Request Timeout\r\n\r\n"); io.Copy(io.Discard, c.r) },
	"reset":       func(c *client) { c.Conn.(*net.TCPConn).SetLinger(0); c.Close() },
}

// A request is never sent on a connection that its backend has ended while it
// was idle: any method goes to another, and nothing hangs.
func TestIdleBackendEnds(t *testing.T) {
	for name, end := range idleEnds {
		for _, raw := range []string{getOne, postOne, strings.Replace(postOne, "Content-Length: 2\r\n\r\nhi", "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 1)} {
			t.Run(name+" "+raw[:4], func(t *testing.T) { idleEnd(t, end, raw) })
		}
	}
}

func idleEnd(t *testing.T, end func(*client), raw string) {
	t.Helper()
	var first sync.Once
	isIdle := make(chan struct{})
	p := newProxy(t, backend(t, func(c *client) {
		for c.request() != nil {
			c.send(okAnswer)
			first.Do(func() { <-isIdle; end(c) })
		}
	}), ways["raw"]).start()
	c := p.dial()
	c.get(200)
	wait.For(t, "idle", func() bool { return p.pool.Idle() == 1 })
	close(isIdle)
	wait.For(t, "the idle connection is stale", func() bool {
		p.pool.mu.Lock()
		defer p.pool.mu.Unlock()
		return len(p.pool.idle) == 1 && p.pool.idle[0].Stale()
	})
	method, _, _ := strings.Cut(raw, " ")
	c.send(raw).answer(method, 200)
}

// A backend that takes a request on a used connection and ends without a word
// is asked again for what may be asked twice, and for nothing else.
func TestBackendEndsInsteadOfAnswering(t *testing.T) {
	eachWay(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		t.Helper()
		p := newProxy(t, backend(t, func(c *client) {
			if c.request() != nil {
				c.send(okAnswer)
				c.request()
			}
		}), wrap).start()
		// Without a look at the idle connection it is not used for a POST.
		posted := 502
		if !rawconn.New(wrap(p.dial().Conn)).Tells() {
			posted = 200
		}
		for _, again := range []struct {
			raw    string
			status int
		}{{getOne, 200}, {postOne, posted}} {
			c := p.dial()
			c.get(200)
			wait.For(t, "idle", func() bool { return p.pool.Idle() > 0 })
			method, _, _ := strings.Cut(again.raw, " ")
			c.send(again.raw).answer(method, again.status)
		}
	})
}

func TestStoppedBackend(t *testing.T) {
	eachWay(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		t.Helper()
		p := newProxy(t, backend(t, func(c *client) { c.request(); io.Copy(io.Discard, c.r) }), wrap)
		p.pool.Answer = 50 * time.Millisecond
		p.start()
		c := p.dial()
		c.get(504)
		c.send(postOne).answer("POST", 504)
		if p.pool.Idle() != 0 {
			t.Error("a stopped connection went back into the pool")
		}
	})
}

// A backend that stops in the middle of its answer ends the client's
// connection, which is all that says that the answer is not whole.
func TestBackendStopsInTheMiddle(t *testing.T) {
	for name, answer := range map[string]string{
		"length": "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
		"chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
	} {
		for _, closes := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				p := newProxy(t, backend(t, func(c *client) {
					c.request()
					c.send(answer)
					if !closes {
						io.Copy(io.Discard, c.r)
					}
				}), ways["raw"])
				p.pool.Read = 50 * time.Millisecond
				p.start()
				got, err := io.ReadAll(p.dial().send(getOne).r)
				if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200") || strings.HasSuffix(string(got), "0\r\n\r\n") {
					t.Errorf("%q, %v; want half an answer and the end", got, err)
				}
			})
		}
	}
}

func TestSlowClients(t *testing.T) {
	p := newProxy(t, backend(t, func(c *client) { c.request() }), ways["raw"])
	p.server.Timeouts = Timeouts{Head: 50 * time.Millisecond, Read: 50 * time.Millisecond, Idle: 100 * time.Millisecond}
	p.start()
	t.Run("nothing", func(t *testing.T) { p.dial().ended() })
	t.Run("head", func(t *testing.T) { c := p.dial().send("GET / HT"); c.answer("GET", 408); c.ended() })
	t.Run("short body", func(t *testing.T) {
		c := p.dial().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nhi")
		c.answer("POST", 408)
		c.ended()
	})
	t.Run("chunked body", func(t *testing.T) {
		c := p.dial().send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi")
		c.answer("POST", 408)
		c.ended()
	})
}

// What is wrong with a body that is being sent on is the client's fault, and
// costs both connections.
func TestBrokenBodyOnItsWay(t *testing.T) {
	whole := make(chan bool, 1)
	p := newProxy(t, backend(t, func(c *client) { whole <- c.request() != nil }), ways["raw"]).start()
	c := p.dial().send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nx\r\n")
	c.answer("POST", 400)
	c.ended()
	if <-whole {
		t.Error("the backend took the request for whole")
	}
	if p.pool.Idle() != 0 {
		t.Error("the backend's connection went back into the pool")
	}
}

func TestBodyOverTheLimit(t *testing.T) {
	p := newProxy(t, backend(t, func(c *client) { c.request() }), ways["raw"])
	p.server.Limits.BodyBytes = 4
	p.start()
	p.dial().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").answer("POST", 413)
	p.dial().send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n").answer("POST", 413)
}

// A backend that answers before it has read the request is heard.
func TestEarlyAnswer(t *testing.T) {
	eachWay(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		t.Helper()
		p := newProxy(t, backend(t, func(c *client) {
			c.r.ReadString('\n')
			c.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!")
			c.Conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c.r)
		}), wrap).start()
		c := p.dial().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
		if got := body(c.answer("POST", 413)); got != "no!" {
			t.Errorf("body %q", got)
		}
		c.ended()
	})
}

// A backend that answers while it reads, and stops to read where its answer is
// not taken, must not bring the exchange to a stand.
func TestAnswerWhileAsking(t *testing.T) {
	const size = 8 << 20
	eachWay(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		t.Helper()
		p := newProxy(t, backend(t, func(c *client) {
			for line := ""; line != "\r\n"; {
				var err error
				if line, err = c.r.ReadString('\n'); err != nil {
					return
				}
			}
			c.send("HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n")
			io.CopyN(c, c.r, size)
		}), wrap).start()
		c := p.dial().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n")
		go io.Copy(c, io.LimitReader(zeros{}, size))
		if got := len(body(c.answer("POST", 200))); got != size {
			t.Errorf("%d octets came back, want %d", got, size)
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// What follows an answer that nobody asked for must not answer the next request.
func TestOctetsBehindAnAnswer(t *testing.T) {
	p := newProxy(t, backend(t, func(c *client) {
		for c.request() != nil {
			c.send(okAnswer + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
		}
	}), ways["raw"]).start()
	c := p.dial()
	for range 3 {
		if got := body(c.get(200)); got != "ok" {
			t.Fatalf("body %q", got)
		}
	}
}

// What comes before the final response is handed on, but not to a client of
// HTTP/1.0, which knows no such thing.
func TestInterimResponses(t *testing.T) {
	n := 3
	p := newProxy(t, backend(t, func(c *client) {
		for c.request() != nil {
			c.send(strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", n) + okAnswer)
		}
	}), ways["raw"]).start()
	c := p.dial()
	for range 2 {
		c.send(getOne)
		for range n {
			if hint := c.answer("GET", 103); hint.Header.Get("Link") != "x" {
				t.Errorf("header %v", hint.Header)
			}
		}
		c.answer("GET", 200)
	}
	p.dial().send("GET / HTTP/1.0\r\nHost: a\r\n\r\n").answer("GET", 200)
}

// A body that was closed reads nothing more, whoever still holds it; closing it
// twice ends no other exchange.
func TestClosedBodiesStayClosed(t *testing.T) {
	addr := backend(t, func(c *client) {
		for c.request() != nil {
			c.send(okAnswer)
		}
	})
	pool := &Pool{Dial: func(context.Context) (net.Conn, error) { return net.Dial("tcp", addr) }}
	defer pool.Close()
	q := &exchange.Request{Method: "GET", Path: "/", Authority: "a", Body: exchange.NoBody{}}
	first, err := pool.Do(t.Context(), exchange.Ask{Request: q})
	if err != nil {
		t.Fatal(err)
	}
	held := first.Body
	io.ReadAll(held)
	held.Close()
	second, err := pool.Do(t.Context(), exchange.Ask{Request: q})
	if err != nil {
		t.Fatal(err)
	}
	held.Close()
	if _, err := held.Read(make([]byte, 1)); err == nil {
		t.Error("a closed body was read")
	}
	if b, err := io.ReadAll(second.Body); err != nil || string(b) != "ok" {
		t.Errorf("the other body: %q, %v", b, err)
	}
	second.Body.Close()
}

func TestRequestBodyOutlivesNothing(t *testing.T) {
	var held io.Reader
	p := newProxy(t, "", ways["raw"])
	p.handle(func(_ context.Context, q *exchange.Request) *exchange.Response {
		if q.Length > 0 {
			held = q.Body
		} else if _, err := held.Read(make([]byte, 1)); err == nil {
			t.Error("the body of the request before was read")
		}
		return &exchange.Response{Status: 200}
	})
	p.start()
	c := p.dial()
	c.send(postOne).answer("POST", 200)
	c.get(200)
}

func TestPanicEndsOneConnection(t *testing.T) {
	p := newProxy(t, "", ways["raw"])
	p.handle(func(_ context.Context, q *exchange.Request) *exchange.Response {
		if q.Path == "/panic" {
			panic("test")
		}
		return &exchange.Response{Status: 200}
	})
	p.start()
	other := p.dial()
	other.get(200)
	p.dial().send("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").ended()
	other.get(200)
	wait.For(t, "one panic is reported", func() bool {
		p.log.mu.Lock()
		defer p.log.mu.Unlock()
		return p.log.panicked == 1
	})
}

func TestUnwritableHeaderIs500(t *testing.T) {
	p := newProxy(t, "", ways["raw"])
	p.handle(func(context.Context, *exchange.Request) *exchange.Response {
		return &exchange.Response{Status: 200, Header: exchange.Header{{Name: "X", Value: "a\r\nSet-Cookie: b"}}}
	})
	p.start()
	c := p.dial()
	if r := c.get(500); r.Header.Get("Set-Cookie") != "" {
		t.Error("a header was split")
	}
	c.ended()
}

func TestDrain(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	p := newProxy(t, backend(t, func(c *client) {
		for r := c.request(); r != nil; r = c.request() {
			if r.Method == "POST" {
				close(asked)
				<-answer
			}
			c.send(okAnswer)
		}
	}), ways["raw"]).start()
	waits, works := p.dial(), p.dial()
	waits.get(200)
	works.get(200)
	works.send(postOne)
	<-asked
	wait.For(t, "one session is idle", func() bool {
		p.server.mu.Lock()
		defer p.server.mu.Unlock()
		n := 0
		for s := range p.server.sessions {
			if s.state.Load() == idle {
				n++
			}
		}
		return n == 1
	})
	p.server.Drain()
	waits.ended()
	close(answer)
	if r := works.answer("POST", 200); !r.Close {
		t.Error("the end of the connection was not announced")
	}
	works.ended()
	wait.For(t, "no connections", func() bool { return p.server.Open() == 0 })
}
