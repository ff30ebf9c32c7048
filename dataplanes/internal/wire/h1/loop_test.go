package h1

import (
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// Whatever the codec refuses, a client is told so and its connection closes;
// whatever it takes is answered once.
func TestEveryRequestThroughTheLoop(t *testing.T) {
	p := newProxy(t, "", ways["raw"])
	p.server.Limits = testLimits
	p.handle(func(_ context.Context, q *exchange.Request) *exchange.Response {
		_, err := io.Copy(io.Discard, q.Body)
		if err != nil {
			return p.failed(err)
		}
		return &exchange.Response{Status: 200}
	})
	p.start()
	for _, c := range requestCases {
		t.Run(c.name, func(t *testing.T) {
			status, refused := 200, false
			if code, err := strconv.Atoi(strings.SplitN(c.want, " ", 2)[0]); err == nil {
				status, refused = code, true
			}
			client := p.dial().send(c.raw)
			client.Conn.(*net.TCPConn).CloseWrite()
			if c.want == "incomplete" {
				client.ended()
				return
			}
			method, _, _ := strings.Cut(strings.TrimLeft(c.raw, "\r\n"), " ")
			if !refused && (method == "CONNECT" || method == "TRACE") {
				status, refused = 405, true
			}
			if refused && method != "HEAD" {
				method = "GET"
			}
			client.answer(method, status)
			if refused {
				client.ended()
			}
		})
	}
}

func (p *proxy) failed(err error) *exchange.Response {
	if why, ok := err.(*Error); ok {
		return &exchange.Response{Status: why.Status}
	}
	if err == exchange.ErrBodyTooLarge {
		return &exchange.Response{Status: 413}
	}
	return &exchange.Response{Status: 500}
}

func TestKeepAlive(t *testing.T) {
	eachWay(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		t.Helper()
		var dials atomic.Int32
		p := newProxy(t, backend(t, func(c *client) {
			dials.Add(1)
			for c.request() != nil {
				c.send(okAnswer)
			}
		}), wrap).start()
		c := p.dial()
		for range 5 {
			if got := body(c.get(200)); got != "ok" {
				t.Fatalf("body %q", got)
			}
		}
		if dials.Load() != 1 {
			t.Errorf("%d connections with the backend, want 1", dials.Load())
		}
		wait.For(t, "one idle connection", func() bool { return p.pool.Idle() == 1 })
	})
}

// The end of a client that comes together with its request is seen, though the
// poller tells of both at once.
func TestRequestAndEndInOneEdge(t *testing.T) {
	eachWay(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		t.Helper()
		p := newProxy(t, backend(t, func(c *client) {
			for c.request() != nil {
				c.send(okAnswer)
			}
		}), wrap)
		ours, theirs := socketPair(t)
		c := newClient(t, theirs).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		theirs.(*net.UnixConn).CloseWrite()
		served := make(chan struct{})
		go func() {
			p.server.Serve(context.Background(), wrap(ours))
			close(served)
		}()
		c.answer("GET", 200)
		c.ended()
		<-served
		p.pool.Close()
	})
}

// A client that ends its side while its request is being answered gets its
// answer, and is not waited for after it.
func TestEndWhileAnswering(t *testing.T) {
	eachWay(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		t.Helper()
		asked, answer := make(chan struct{}), make(chan struct{})
		p := newProxy(t, backend(t, func(c *client) {
			if c.request() != nil {
				close(asked)
				<-answer
				c.send(okAnswer)
			}
		}), wrap).start()
		c := p.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		<-asked
		c.Conn.(*net.TCPConn).CloseWrite()
		close(answer)
		c.answer("GET", 200)
		c.ended()
	})
}

// What follows a body is the next request, however the body was read.
func TestPipelinedBehindBodies(t *testing.T) {
	large := strings.Repeat("x", 300<<10)
	first := map[string]string{
		"none":        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"short":       "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
		"large":       "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + strconv.Itoa(len(large)) + "\r\n\r\n" + large,
		"chunked":     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		"large chunk": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + strconv.FormatInt(int64(len(large)), 16) + "\r\n" + large + "\r\n0\r\nX: y\r\n\r\n",
	}
	eachWay(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		t.Helper()
		p := newProxy(t, backend(t, func(c *client) {
			for r := c.request(); r != nil; r = c.request() {
				b, _ := io.ReadAll(r.Body)
				text := r.Method + " " + strconv.Itoa(len(b))
				c.send("HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(len(text)) + "\r\n\r\n" + text)
			}
		}), wrap).start()
		for name, raw := range first {
			t.Run(name, func(t *testing.T) {
				c := p.dial()
				c.t = t
				go io.WriteString(c, raw+"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"+first["none"])
				c.answer("GET", 200)
				if got := body(c.answer("PUT", 200)); got != "PUT 3" {
					t.Errorf("second request: %s", got)
				}
				if got := body(c.answer("GET", 200)); got != "GET 0" {
					t.Errorf("third request: %s", got)
				}
			})
		}
	})
}

// A handler that reads nothing of a body that has come whole loses nothing; one
// that has not come costs the connection.
func TestBodyThatNobodyReads(t *testing.T) {
	p := newProxy(t, "", ways["raw"])
	p.handle(func(context.Context, *exchange.Request) *exchange.Response {
		return &exchange.Response{Status: 404}
	})
	p.server.Timeouts.Read = 50 * time.Millisecond
	p.start()
	c := p.dial().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
	c.answer("POST", 404)
	c.get(404)
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nhi")
	if r := c.answer("POST", 404); r.Close {
		t.Error("a short body need not cost the connection")
	}
	c.send("ho").get(404)
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\nhi")
	if r := c.answer("POST", 404); !r.Close {
		t.Error("the end of the connection was not announced")
	}
	c.ended()
	c = p.dial().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nhi")
	c.answer("POST", 404)
	c.ended()
}

func TestExpectContinue(t *testing.T) {
	p := newProxy(t, backend(t, func(c *client) {
		for r := c.request(); r != nil; r = c.request() {
			if _, ok := r.Header["Expect"]; ok {
				t.Error("Expect went to the backend")
			}
			c.send(okAnswer)
		}
	}), ways["raw"]).start()
	c := p.dial()
	for range 2 {
		c.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
		c.answer("POST", 100)
		c.send("hi").answer("POST", 200)
	}
}

// A client that waits for 100 and is answered without must not have its next
// octets taken for a request.
func TestExpectAndNobodyReads(t *testing.T) {
	p := newProxy(t, "", ways["raw"])
	p.handle(func(context.Context, *exchange.Request) *exchange.Response {
		return &exchange.Response{Status: 403}
	})
	p.start()
	c := p.dial().send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	if r := c.answer("POST", 403); !r.Close {
		t.Error("the end of the connection was not announced")
	}
	c.ended()
}

func TestResponsesWithoutContent(t *testing.T) {
	p := newProxy(t, backend(t, func(c *client) {
		for r := c.request(); r != nil; r = c.request() {
			switch {
			case r.Method == "HEAD":
				c.send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
			case r.URL.Path == "/204":
				c.send("HTTP/1.1 204 No Content\r\n\r\n")
			default:
				c.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n")
			}
		}
	}), ways["raw"]).start()
	c := p.dial()
	if r := c.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").answer("HEAD", 200); r.ContentLength != 99 {
		t.Errorf("HEAD has length %d", r.ContentLength)
	}
	if r := c.send("GET /204 HTTP/1.1\r\nHost: a\r\n\r\n").answer("GET", 204); r.Header.Get("Content-Length") != "" {
		t.Error("204 has a length")
	}
	if r := c.get(304); r.Header.Get("Content-Length") != "7" {
		t.Errorf("304 has length %s", r.Header.Get("Content-Length"))
	}
	wait.For(t, "one idle connection", func() bool { return p.pool.Idle() == 1 })
}

func TestTrailersAndChunksGoThrough(t *testing.T) {
	large := strings.Repeat("0123456789", 50<<10)
	p := newProxy(t, backend(t, func(c *client) {
		for c.request() != nil {
			c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			c.send("5\r\nhello\r\n" + strconv.FormatInt(int64(len(large)), 16) + "\r\n" + large + "\r\n0\r\nGrpc-Status: 0\r\n\r\n")
		}
	}), ways["raw"]).start()
	c := p.dial()
	for range 3 {
		r := c.get(200)
		if got := body(r); got != "hello"+large {
			t.Errorf("body of %d octets, want %d", len(got), len(large)+5)
		}
		if r.Trailer.Get("Grpc-Status") != "0" {
			t.Errorf("trailers %v", r.Trailer)
		}
	}
	// HTTP/1.0 knows no chunks: its content ends with the connection.
	c.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
	if got := body(c.answer("GET", 200)); got != "hello"+large {
		t.Errorf("HTTP/1.0: body of %d octets", len(got))
	}
	c.ended()
}

// asIs is a Handler that is asked about refused requests too.
type asIs func(context.Context, exchange.Incoming) exchange.Answer

var _ exchange.Handler = asIs(nil)

func (f asIs) Serve(ctx context.Context, in exchange.Incoming) exchange.Answer { return f(ctx, in) }

// What is told of a refused head lies in no buffer that was given back, however
// often the head had to move before it was refused.
func TestRefusedLongHeadKeepsItsMethod(t *testing.T) {
	method := make(chan string, 1)
	p := newProxy(t, "", ways["raw"])
	p.server.Limits.HeadBytes = 4 * bufferSize
	p.server.Handler = asIs(func(_ context.Context, in exchange.Incoming) exchange.Answer {
		for range 8 {
			b := buffers.Get().(*[bufferSize]byte)
			for i := range b {
				b[i] = 'X'
			}
		}
		method <- strings.Clone(in.Request.Method)
		return exchange.Answer{Response: &exchange.Response{Status: in.Refused}}
	})
	c := p.start().dial().send("DELETE / HTTP/1.1\r\nHost: a\r\nX-Long: ")
	for range 5 * bufferSize / 1000 {
		c.send(strings.Repeat("a", 1000))
	}
	if got := <-method; got != "DELETE" {
		t.Errorf("the method of the refused request is %q", got)
	}
}

// Old clients send an empty line behind a body. It asks for nothing, so that
// nothing is answered when no request follows.
func TestEmptyLineIsNoRequest(t *testing.T) {
	p := newProxy(t, backend(t, func(c *client) {
		for c.request() != nil {
			c.send(okAnswer)
		}
	}), ways["raw"])
	p.server.Timeouts.Head = 50 * time.Millisecond
	c := p.start().dial()
	c.send(postOne+"\r\n").answer("POST", 200)
	c.ended()
}
