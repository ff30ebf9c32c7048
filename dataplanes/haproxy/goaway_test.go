package haproxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
)

// Over HTTP/2, each request that a client has begun is answered across reloads: on its
// connection, or it is told that the request was not looked at, and sends it over
// another one. What is under way for long comes to its end.
func TestEachStreamIsAnsweredAcrossReloads(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	port := rig.FreePort(t)
	r.secure(port, "http", "a.example")
	var held atomic.Int64
	release := make(chan struct{})
	backend := rig.Serve(t, func(w http.ResponseWriter, request *http.Request) {
		if request.URL.Path == "/held" {
			held.Add(1)
			<-release
		}
		_, _ = fmt.Fprint(w, "one")
	})
	rule := r.Route("http", "/", &ir.Rule{Backends: rig.To(r.Backend("one", backend))})
	r.Unit.Proxy.Routes[0].Attachments[0].Hostnames = []string{"a.example"}
	r.Must()
	clients := strict(t, fmt.Sprint("127.0.0.1:", port), 4)
	wait.For(t, "each client has a request under way that takes long", func() bool { return held.Load() == 4 })
	for i := range 3 {
		next := *rule
		next.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-Round", Value: fmt.Sprint(i)}}}}}
		r.Unit.Proxy.Routes[0] = rig.WithRule(r.Unit.Proxy.Routes[0], &next)
		r.Must()
		for _, c := range clients {
			at := c.answered.Load()
			wait.For(t, "requests go on", func() bool { return c.answered.Load() > at+100 })
			wait.For(t, "the client has another connection", func() bool { return c.connections.Load() >= int64(i)+2 })
		}
	}
	close(release)
	for i, c := range clients {
		wait.For(t, "what took long has come to its end", func() bool { return c.held.Load() == 1 || c.lost.Load() > 0 })
		t.Logf("client %d: %d answered, %d sent again, over %d connections", i, c.answered.Load(), c.again.Load(), c.connections.Load())
		if n := c.lost.Load(); n > 0 {
			t.Errorf("client %d: %d requests have no answer, the last: %v", i, n, c.why.Load())
		}
	}
}

// A connection that nobody uses is closed with a word about which of its requests was
// the last to be looked at: one that is on its way at that moment may be sent again.
func TestAnIdleConnectionOfHTTP2IsToldWhatWasLookedAt(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	port := rig.FreePort(t)
	r.secure(port, "http", "a.example")
	rule := r.Route("http", "/", &ir.Rule{Backends: rig.To(r.Backend("one", rig.Named(t, "one")))})
	r.Unit.Proxy.Routes[0].Attachments[0].Hostnames = []string{"a.example"}
	r.Must()
	conn, err := overTLS(t.Context(), fmt.Sprint("127.0.0.1:", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s := newStreams(&client{}, conn)
	s.begin("/")
	until := func(what string, holds func() bool) {
		t.Helper()
		for !holds() {
			if err := s.read(); err != nil {
				t.Fatal(what, err)
			}
		}
	}
	until("an answer", func() bool { return s.client.answered.Load() == 1 })
	next := *rule
	next.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-Next", Value: "1"}}}}}
	r.Unit.Proxy.Routes[0] = rig.WithRule(r.Unit.Proxy.Routes[0], &next)
	r.Must()
	until("a word to go", func() bool { return s.going })
	if s.last != 1 {
		t.Errorf("the last request that was looked at is said to be %d, want 1", s.last)
	}
}

// client is one of HTTP/2 that sends a request again only where RFC 9113 says that
// nobody has looked at it: sections 6.8 (GOAWAY) and 8.7 (REFUSED_STREAM).
type client struct {
	addr string
	// answered, again and lost are of requests: lost are those of which nobody knows.
	answered, again, lost, connections, held atomic.Int64
	why                                      atomic.Value
	all                                      sync.WaitGroup
}

// atOnce is how many short requests a client has under way.
const atOnce = 8

func strict(t *testing.T, addr string, n int) []*client {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	clients := make([]*client, n)
	t.Cleanup(func() {
		cancel()
		for _, c := range clients {
			c.all.Wait()
		}
	})
	for i := range clients {
		c := &client{addr: addr}
		clients[i] = c
		c.all.Go(func() {
			for first := true; ctx.Err() == nil; first = false {
				c.connect(ctx, first)
			}
		})
	}
	return clients
}

// connect makes a connection. It returns when that takes no more requests, and goes
// on reading the answers that are due.
func (c *client) connect(ctx context.Context, first bool) {
	conn, err := overTLS(ctx, c.addr)
	if err != nil {
		c.lose(ctx, 1, err)
		return
	}
	c.connections.Add(1)
	s := newStreams(c, conn)
	full := make(chan struct{})
	c.all.Go(func() {
		defer conn.Close()
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		defer stop()
		leave := sync.OnceFunc(func() { close(full) })
		defer leave()
		if first {
			s.begin("/held")
		}
		for !s.going || len(s.open) > 0 {
			if err := s.step(); err != nil {
				c.lose(ctx, len(s.open), err)
				return
			}
			if s.going {
				leave()
			}
		}
	})
	<-full
}

// lose notes requests that have no answer, unless it is the test that ends them.
func (c *client) lose(ctx context.Context, n int, why error) {
	if ctx.Err() == nil && n > 0 {
		c.lost.Add(int64(n))
		c.why.Store(why)
	}
}

// streams are those of one connection. Going is true once it takes no more.
type streams struct {
	client *client
	framer *http2.Framer
	open   map[uint32]string
	next   uint32
	going  bool
	// last is the last stream that the other side has looked at, as it says.
	last uint32
}

func overTLS(ctx context.Context, addr string) (net.Conn, error) {
	dialer := tls.Dialer{Config: &tls.Config{ServerName: "a.example", InsecureSkipVerify: true, NextProtos: []string{"h2"}}} //nolint:gosec // It asks who answers.
	return dialer.DialContext(ctx, "tcp", addr)
}

func newStreams(c *client, conn net.Conn) *streams {
	s := &streams{client: c, framer: http2.NewFramer(conn, conn), open: map[uint32]string{}, next: 1}
	s.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_, _ = io.WriteString(conn, http2.ClientPreface)
	_ = s.framer.WriteSettings()
	return s
}

func (s *streams) begin(path string) {
	var head bytes.Buffer
	encoder := hpack.NewEncoder(&head)
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", path}} {
		_ = encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1], Sensitive: true})
	}
	_ = s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: s.next, BlockFragment: head.Bytes(), EndStream: true, EndHeaders: true})
	s.open[s.next] = path
	s.next += 2
}

// step begins what there is room for, and reads a frame.
func (s *streams) step() error {
	for !s.going && len(s.open) < atOnce {
		s.begin("/")
	}
	return s.read()
}

// read reads a frame. What cannot be written is noticed so, too: behind what the other
// side has said last.
func (s *streams) read() error {
	frame, err := s.framer.ReadFrame()
	if err != nil {
		return err
	}
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			_ = s.framer.WriteSettingsAck()
		}
	case *http2.MetaHeadersFrame:
		if status := f.PseudoValue("status"); status != "200" {
			return fmt.Errorf("status %s", status)
		}
		s.end(f.StreamID, f.StreamEnded())
	case *http2.DataFrame:
		s.end(f.StreamID, f.StreamEnded())
		if n := f.Length; n > 0 {
			_ = s.framer.WriteWindowUpdate(0, n)
		}
	case *http2.RSTStreamFrame:
		if f.ErrCode != http2.ErrCodeRefusedStream {
			return http2.StreamError{StreamID: f.StreamID, Code: f.ErrCode}
		}
		s.refused(f.StreamID)
	case *http2.GoAwayFrame:
		return s.goAway(f)
	}
	return nil
}

func (s *streams) end(id uint32, ended bool) {
	path, open := s.open[id]
	if !ended || !open {
		return
	}
	delete(s.open, id)
	s.client.answered.Add(1)
	if path == "/held" {
		s.client.held.Add(1)
	}
}

// refused is a request that others of the client stand for, which does nothing but
// send them.
func (s *streams) refused(id uint32) {
	delete(s.open, id)
	s.client.again.Add(1)
}

func (s *streams) goAway(f *http2.GoAwayFrame) error {
	s.going, s.last = true, f.LastStreamID
	if f.ErrCode != http2.ErrCodeNo {
		return http2.ConnectionError(f.ErrCode)
	}
	for id := range s.open {
		if id > f.LastStreamID {
			s.refused(id)
		}
	}
	return nil
}
