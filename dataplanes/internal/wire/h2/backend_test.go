package h2

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// scripted is a pool before a backend that says what the test likes. Each
// connection is handed over when its preface was read.
func scripted(t *testing.T, settings ...http2.Setting) (*Pool, <-chan *rawPeer) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	peers := make(chan *rawPeer, 10)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			p := newRawPeer(t, c)
			io.ReadFull(c, make([]byte, len(preface)))
			p.framer.WriteSettings(settings...)
			peers <- p
		}
	}()
	return poolTo(t, ln.Addr().String()), peers
}

// request reads up to the next head and returns its stream.
func (p *rawPeer) request() uint32 {
	for {
		f, err := p.framer.ReadFrame()
		if err != nil {
			return 0
		}
		if h, ok := f.(*http2.HeadersFrame); ok {
			return h.StreamID
		}
	}
}

func plainGet() *exchange.Request {
	return &exchange.Request{Method: "GET", Authority: "x", Path: "/", Body: exchange.NoBody{}}
}

func plainPost(body string) *exchange.Request {
	return &exchange.Request{Method: "POST", Authority: "x", Path: "/", Length: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}
}

func TestBackendAnswers(t *testing.T) {
	ok := []string{":status", "200"}
	for name, c := range map[string]struct {
		say  func(p *rawPeer, id uint32)
		want string // A body, or the reason of an error.
	}{
		"whole": {func(p *rawPeer, id uint32) { p.head(id, false, ok...); p.framer.WriteData(id, true, []byte("body")) }, "body"},
		"length": {func(p *rawPeer, id uint32) {
			p.head(id, false, ":status", "200", "content-length", "4")
			p.framer.WriteData(id, true, []byte("body"))
		}, "body"},
		"no content": {func(p *rawPeer, id uint32) { p.head(id, true, ok...) }, ""},
		"interim": {func(p *rawPeer, id uint32) {
			p.head(id, false, ":status", "103", "link", "x")
			p.head(id, false, ok...)
			p.framer.WriteData(id, true, []byte("body"))
		}, "body"},
		"answered early": {func(p *rawPeer, id uint32) {
			p.head(id, false, ok...)
			p.framer.WriteData(id, true, []byte("body"))
			p.framer.WriteRSTStream(id, http2.ErrCodeNo)
		}, "body"},
		"trailers": {func(p *rawPeer, id uint32) {
			p.head(id, false, ok...)
			p.framer.WriteData(id, false, []byte("body"))
			p.head(id, true, "x-a", "b")
		}, "body"},
		"too many interim": {func(p *rawPeer, id uint32) {
			for range 20 {
				p.head(id, false, ":status", "103")
			}
		}, "too-many-interim-responses"},
		"interim that ends": {func(p *rawPeer, id uint32) { p.head(id, true, ":status", "100") }, "status"},
		"status 101":        {func(p *rawPeer, id uint32) { p.head(id, true, ":status", "101") }, "status"},
		"no status":         {func(p *rawPeer, id uint32) { p.head(id, true, "x-a", "b") }, "status"},
		"status twice":      {func(p *rawPeer, id uint32) { p.head(id, true, ":status", "200", ":status", "200") }, "status"},
		"status of two":     {func(p *rawPeer, id uint32) { p.head(id, true, ":status", "20") }, "status"},
		"status of letters": {func(p *rawPeer, id uint32) { p.head(id, true, ":status", "2x0") }, "status"},
		"late status":       {func(p *rawPeer, id uint32) { p.head(id, true, "x-a", "b", ":status", "200") }, "status"},
		"request pseudo":    {func(p *rawPeer, id uint32) { p.head(id, true, ":status", "200", ":path", "/") }, "status"},
		"upper case":        {func(p *rawPeer, id uint32) { p.head(id, true, ":status", "200", "X-A", "b") }, "field-name"},
		"line feed":         {func(p *rawPeer, id uint32) { p.head(id, true, ":status", "200", "x-a", "b\nc") }, "field-value"},
		"connection":        {func(p *rawPeer, id uint32) { p.head(id, true, ":status", "200", "connection", "close") }, "connection-field"},
		"transfer-encoding": {func(p *rawPeer, id uint32) { p.head(id, true, ":status", "200", "transfer-encoding", "chunked") }, "connection-field"},
		"lengths disagree": {func(p *rawPeer, id uint32) {
			p.head(id, true, ":status", "200", "content-length", "1", "content-length", "2")
		}, "length"},
		"length without":      {func(p *rawPeer, id uint32) { p.head(id, true, ":status", "200", "content-length", "1") }, "length-disagrees-with-content"},
		"content before head": {func(p *rawPeer, id uint32) { p.framer.WriteData(id, true, []byte("body")) }, "content-before-head"},
		"content too short": {func(p *rawPeer, id uint32) {
			p.head(id, false, ":status", "200", "content-length", "9")
			p.framer.WriteData(id, true, []byte("body"))
		}, "length-disagrees-with-content"},
		"broken off": {func(p *rawPeer, id uint32) {
			p.head(id, false, ok...)
			p.framer.WriteData(id, false, []byte("body"))
			p.framer.WriteRSTStream(id, http2.ErrCodeInternal)
		}, "reset-by-backend"},
		"connection broken off": {func(p *rawPeer, id uint32) {
			p.head(id, false, ok...)
			p.framer.WriteData(id, false, []byte("body"))
			p.conn.Close()
		}, "peer-gone"},
		"push":           {func(p *rawPeer, id uint32) { p.raw(http2.FramePushPromise, 4, id, "\x00\x00\x00\x02\x82") }, "push"},
		"even stream":    {func(p *rawPeer, id uint32) { p.head(2, true, ok...) }, "idle-stream"},
		"unasked":        {func(p *rawPeer, id uint32) { p.head(id+2, true, ok...) }, "idle-stream"},
		"junk":           {func(p *rawPeer, id uint32) { io.WriteString(p.conn, strings.Repeat("HTTP/1.1 400 Bad Request\r\n", 9)) }, "frame-size"},
		"window of 2^31": {func(p *rawPeer, id uint32) { p.framer.WriteWindowUpdate(id, mostWindow) }, "stream-window"},
	} {
		t.Run(name, func(t *testing.T) {
			pool, peers := scripted(t)
			go func() {
				p := <-peers
				id := p.request()
				c.say(p, id)
				io.Copy(io.Discard, p.conn)
			}()
			// Without content, it would be sent again.
			got := fetch(pool, plainPost("x"))
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// fetch returns the body, or the reason why there is none.
func fetch(pool *Pool, q *exchange.Request) string {
	p, err := pool.Do(context.Background(), exchange.Ask{Request: q})
	var body []byte
	if err == nil {
		body, err = io.ReadAll(p.Body)
		p.Body.Close()
	}
	var why *Error
	if errors.As(err, &why) {
		return why.Reason
	}
	if err != nil {
		return err.Error()
	}
	return string(body)
}

// TestGoAway has a backend that leaves while two requests are on their way.
func TestGoAway(t *testing.T) {
	pool, peers := scripted(t)
	results := make(chan string, 2)
	go func() { results <- fetch(pool, plainPost("a")) }()
	p := <-peers
	if id := p.request(); id != 1 {
		t.Fatalf("got stream %d", id)
	}
	go func() { results <- fetch(pool, plainPost("b")) }()
	if id := p.request(); id != 3 {
		t.Fatalf("got stream %d", id)
	}
	p.framer.WriteGoAway(1, http2.ErrCodeNo, nil)
	// What the backend has not seen may be sent again by whoever has its content.
	if got := <-results; got != "unprocessed" {
		t.Errorf("got %q", got)
	}
	p.head(1, false, ":status", "200")
	p.framer.WriteData(1, true, []byte("body"))
	if got := <-results; got != "body" {
		t.Errorf("got %q", got)
	}
	// So may what it refuses.
	go func() { results <- fetch(pool, plainGet()) }()
	q := <-peers
	q.framer.WriteRSTStream(q.request(), http2.ErrCodeRefusedStream)
	if got := <-results; got != "unprocessed" {
		t.Errorf("got %q", got)
	}
}

// stuck is a client that takes no hint until it is let go.
type stuck struct{ come, release chan struct{} }

func (s *stuck) Send(int, exchange.Header) {
	close(s.come)
	<-s.release
}

// TestClientsThatTakeNoHints has one of two requests on a connection wait for its
// client.
func TestClientsThatTakeNoHints(t *testing.T) {
	pool, peers := scripted(t)
	s := &stuck{make(chan struct{}), make(chan struct{})}
	results := make(chan string, 2)
	q := plainGet()
	q.Interim = s
	go func() { results <- fetch(pool, q) }()
	p := <-peers
	first := p.request()
	p.head(first, false, ":status", "103", "link", "x")
	<-s.come
	go func() { results <- fetch(pool, plainGet()) }()
	second := p.request()
	p.head(second, false, ":status", "200")
	p.framer.WriteData(second, true, []byte("second"))
	if got := <-results; got != "second" {
		t.Errorf("got %q", got)
	}
	close(s.release)
	p.head(first, false, ":status", "200")
	p.framer.WriteData(first, true, []byte("first"))
	if got := <-results; got != "first" {
		t.Errorf("got %q", got)
	}
}

// TestLeavingConnectionsTakeNoPlace has a backend that leaves with each request and
// answers none of them.
func TestLeavingConnectionsTakeNoPlace(t *testing.T) {
	pool, peers := scripted(t)
	pool.MaxConns = 2
	results := make(chan string, 4)
	var kept []*rawPeer
	for range cap(results) {
		go func() { results <- fetch(pool, plainPost("x")) }()
		p := <-peers
		p.framer.WriteGoAway(p.request(), http2.ErrCodeNo, nil)
		waitFor(t, func() bool {
			pool.mu.Lock()
			defer pool.mu.Unlock()
			return pool.living() == 0
		})
		kept = append(kept, p)
	}
	for _, p := range kept {
		p.head(1, false, ":status", "200")
		p.framer.WriteData(1, true, []byte("late"))
		if got := <-results; got != "late" {
			t.Errorf("got %q", got)
		}
	}
}

// TestUnreadResponseStopsNobodyElse has a response that nobody reads.
func TestUnreadResponseStopsNobodyElse(t *testing.T) {
	pool, peers := scripted(t)
	go func() {
		p := <-peers
		id := p.request()
		p.head(id, false, ":status", "200")
		for range 4 {
			p.framer.WriteData(id, false, make([]byte, 16384))
		}
		for {
			id := p.request()
			if id == 0 {
				return
			}
			p.head(id, false, ":status", "200")
			p.framer.WriteData(id, true, []byte("body"))
		}
	}()
	first, err := pool.Do(t.Context(), exchange.Ask{Request: plainGet()})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if got := fetch(pool, plainGet()); got != "body" {
			t.Fatalf("got %q", got)
		}
	}
	first.Body.Close()
}

func TestBackendThatIsSilent(t *testing.T) {
	pool, peers := scripted(t)
	ask := exchange.Ask{Request: plainGet(), Until: time.Now().Add(50 * time.Millisecond)}
	_, err := pool.Do(t.Context(), ask)
	var why *Error
	if !errors.As(err, &why) || why.Status != 504 {
		t.Errorf("got %v", err)
	}
	p := <-peers
	p.request()
	if got := p.next(); got.reset != 1 || got.code != http2.ErrCodeCancel {
		t.Errorf("got %+v", got)
	}
}

func TestBackendThatForgot(t *testing.T) {
	pool, peers := scripted(t)
	pool.Ping = 50 * time.Millisecond
	go func() {
		p := <-peers
		p.head(p.request(), true, ":status", "204")
	}()
	fetch(pool, plainGet())
	c := pool.conns[0]
	waitFor(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return time.Since(c.heard) > 2*pool.Ping
	})
	if got := fetch(pool, plainPost("x")); got != "no-answer-to-ping" {
		t.Errorf("got %q", got)
	}
}

func TestClientsContentBreaksOff(t *testing.T) {
	pool, peers := scripted(t)
	go func() { (<-peers).request() }()
	broken := errors.New("broken")
	q := plainPost("x")
	q.Length, q.Body = -1, io.NopCloser(io.MultiReader(bytes.NewReader([]byte("abc")), failing{broken}))
	if got := fetch(pool, q); got != "broken" {
		t.Errorf("got %q", got)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
