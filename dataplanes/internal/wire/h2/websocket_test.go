package h2

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"
	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/h1"
)

// echoSocket is a WebSocket server of HTTP/1.1 that says everything again.
func echoSocket(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, data, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if err := c.Write(r.Context(), kind, data); err != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// beforeH1 is a server before a pool of HTTP/1.1.
func beforeH1(t *testing.T, addr string) *rig {
	t.Helper()
	pool := &h1.Pool{Dial: func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}}
	t.Cleanup(pool.Close)
	return newRig(t, func(ctx context.Context, q *exchange.Request) *exchange.Response {
		p, err := pool.Do(ctx, exchange.Ask{Request: q})
		if err != nil {
			return &exchange.Response{Status: 502}
		}
		return p
	}).start()
}

var connectSocket = []string{
	":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/", ":authority", "x.example",
	"sec-websocket-version", "13",
}

// hello is a text message of a client's, whose mask is zero.
const hello = "\x81\x85\x00\x00\x00\x00hello"

func TestWebSocketToHTTP1(t *testing.T) {
	p := beforeH1(t, echoSocket(t)).dial().hello()
	p.head(1, false, connectSocket...)
	if got := p.status(); got != 200 {
		t.Fatalf("got %d", got)
	}
	for range 3 {
		p.framer.WriteData(1, false, []byte(hello))
		if got := p.data(); string(got.Data()) != "\x81\x05hello" {
			t.Fatalf("got %q", got.Data())
		}
	}
	p.framer.WriteData(1, true, []byte("\x88\x82\x00\x00\x00\x00\x03\xe8"))
	if got := p.data(); got.Data()[0] != 0x88 {
		t.Errorf("got %q, want a close", got.Data())
	}
	for {
		if got := p.data(); got.StreamEnded() {
			break
		}
	}
	want{}.living(t, p)
}

// TestWebSocketOverBoth goes over extended CONNECT twice: the middle is ours on
// both sides.
func TestWebSocketOverBoth(t *testing.T) {
	inner := beforeH1(t, echoSocket(t))
	p := through(t, poolTo(t, inner.addr)).dial().hello()
	p.head(1, false, connectSocket...)
	if got := p.status(); got != 200 {
		t.Fatalf("got %d", got)
	}
	p.framer.WriteData(1, false, []byte(hello))
	if got := p.data(); string(got.Data()) != "\x81\x05hello" {
		t.Fatalf("got %q", got.Data())
	}
	p.framer.WriteRSTStream(1, http2.ErrCodeCancel)
	waitFor(t, func() bool { return inner.active() == 0 })
	want{}.living(t, p)
}

func TestWebSocketRefused(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	p := beforeH1(t, s.Listener.Addr().String()).dial().hello()
	p.head(1, false, connectSocket...)
	if got := p.status(); got != 404 {
		t.Fatalf("got %d", got)
	}
	want{}.living(t, p)
}

// TestWrongAccept has a backend that has not understood the key.
func TestWrongAccept(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
		io.Copy(io.Discard, c)
	}()
	p := beforeH1(t, ln.Addr().String()).dial().hello()
	p.head(1, false, connectSocket...)
	if got := p.status(); got != 502 {
		t.Fatalf("got %d", got)
	}
}

// TestCancelReachesHTTP1 has a backend that sees its connection end.
func TestCancelReachesHTTP1(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	come, gone := make(chan struct{}), make(chan struct{})
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		br := bufio.NewReader(c)
		if _, err := http.ReadRequest(br); err != nil {
			return
		}
		close(come)
		io.Copy(io.Discard, br)
		close(gone)
	}()
	r := beforeH1(t, ln.Addr().String())
	p := r.dial().hello()
	p.get(1)
	<-come
	p.framer.WriteRSTStream(1, http2.ErrCodeCancel)
	<-gone
	waitFor(t, func() bool { return r.active() == 0 })
	want{}.living(t, p)
}

func TestBackendWithoutWebSockets(t *testing.T) {
	p := through(t, poolTo(t, h2cBackend(t, echoHandler))).dial().hello()
	p.head(1, false, connectSocket...)
	if got := p.status(); got != 502 {
		t.Fatalf("got %d", got)
	}
}
