package goproxy_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/quic-go/quic-go"

	"github.com/sluice-gateway/sluice/ir"
)

// waiting is a backend that says nothing, and counts those that wait for it.
func waiting(t *testing.T, asked, now *atomic.Int64) string {
	t.Helper()
	return serve(t, func(_ http.ResponseWriter, q *http.Request) {
		asked.Add(1)
		now.Add(1)
		<-q.Context().Done()
		now.Add(-1)
	})
}

// TestHTTP3RapidResets has a client that takes its requests back as fast as it
// makes them (CVE-2023-44487).
func TestHTTP3RapidResets(t *testing.T) {
	var asked, now atomic.Int64
	r := newH3Rig(t)
	r.unit.Proxy.Settings.Limits.ConcurrentStreams = 10
	r.https("a", "a.example", r.ca.issue("a", "a.example"))
	r.unit.Proxy.Routes[0].Rules[0].Backends = to(r.backend("b", ir.BackendHTTP1, waiting(t, &asked, &now)))
	r.must()
	c, err := r.dialQUIC("a.example")
	if err != nil {
		t.Fatal(err)
	}
	request := frame(1, fieldSection(t, with()...))
	resets := 0
	for ; resets < 20000; resets++ {
		s, err := c.OpenStreamSync(t.Context())
		if err != nil {
			break
		}
		_, _ = s.Write(request)
		s.Close()
		s.CancelRead(0x10c)
	}
	// Quic-go tells who opens streams of the end before it ends the context.
	wait.For(t, "the end of the connection", func() bool { return c.Context().Err() != nil })
	end, ok := errorAs[*quic.ApplicationError](context.Cause(c.Context()))
	if !ok || end.ErrorCode != 0x107 {
		t.Errorf("after %d resets, %d of which a backend was asked: %v, want H3_EXCESSIVE_LOAD", resets, asked.Load(), context.Cause(c.Context()))
	}
	if !strings.Contains(r.metrics(t), `sluice_proxy_connections_refused_total{port="`+fmt.Sprint(r.port)+`",reason="http3-flood"} 1`) {
		t.Error("it is not counted")
	}
	wait.For(t, "nothing at work on it", func() bool { return serving3() == 0 && now.Load() == 0 })
}

// TestHTTP3CancelsWithoutHarm has a client that takes every second request back,
// as one may that shows what its user types.
func TestHTTP3CancelsWithoutHarm(t *testing.T) {
	r := newH3Rig(t)
	r.holding("held", "a.example")
	r.https("b", "a.example", r.ca.issue("b", "a.example"))
	r.unit.Proxy.Listeners = r.unit.Proxy.Listeners[:1]
	r.unit.Proxy.Routes[1].Attachments[0].Listener = listenerKey("held")
	r.unit.Proxy.Routes[1].Rules[0].Matches = []ir.Match{{Path: ir.PathMatch{Kind: ir.Exact, Value: "/b"}}}
	r.must()
	c, err := r.dialQUIC("a.example")
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		s := r.ask(c, with()...)
		s.CancelRead(0x10c)
		s.CancelWrite(0x10c)
		if got := ask3(t, c, frame(1, fieldSection(t, replaced(":path", "/b")...))); got.status != 200 {
			t.Fatalf("%+v", got)
		}
	}
}

// abort leaves a request in one of the states that it can be in.
var aborts = map[string]func(t *testing.T, s *quic.Stream, header []byte){
	"half a header": func(_ *testing.T, s *quic.Stream, header []byte) { _, _ = s.Write(header[:len(header)-3]) },
	"a header":      func(_ *testing.T, s *quic.Stream, header []byte) { _, _ = s.Write(header) },
	"half a body":   func(_ *testing.T, s *quic.Stream, header []byte) { _, _ = s.Write(append(header, 0, 100, 'x')) },
	"half an answer": func(t *testing.T, s *quic.Stream, header []byte) {
		t.Helper()
		_, _ = s.Write(header)
		s.Close()
		firstStatus(t, s)
	},
}

// TestHTTP3AbortsLeaveNothing takes requests back, or goes, in every state.
func TestHTTP3AbortsLeaveNothing(t *testing.T) {
	const perConn, conns = 25, 4
	r := newH3Rig(t)
	h := r.holding("a", "a.example")
	h.began = make(chan struct{}, perConn*conns*4*4)
	r.must()
	for name, leave := range aborts {
		for _, method := range []string{"GET", "POST"} {
			for n := range conns {
				c, err := r.dialQUIC("a.example")
				if err != nil {
					t.Fatal(err)
				}
				header := frame(1, fieldSection(t, replaced(":method", method)...))
				for range perConn {
					s, err := c.OpenStreamSync(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					_ = s.SetDeadline(time.Now().Add(patience))
					leave(t, s, append([]byte(nil), header...))
					if n%2 == 0 {
						s.CancelRead(0x10c)
						s.CancelWrite(0x10c)
					}
				}
				if n%2 == 1 {
					_ = c.CloseWithError(0x100, "")
				}
			}
		}
		wait.For(t, name+": nothing at work", func() bool { return serving3() == 0 })
		wait.For(t, name+": no request under way", func() bool { return strings.Contains(r.metrics(t), "sluice_proxy_active_requests 0") })
	}
}

// TestShortMemoryKeepsHTTP3Out has less memory than any process needs. Clients
// go on over TCP, where they are told when to come back.
func TestShortMemoryKeepsHTTP3Out(t *testing.T) {
	before := debug.SetMemoryLimit(1 << 20)
	r := newH3Rig(t)
	debug.SetMemoryLimit(before)
	r.reflecting("a", "a.example")
	r.must()
	wait.For(t, "503", func() bool { return get(t, r.client("a.example"), "https://a.example/").status == 503 })
	if _, err := r.dialQUIC("a.example"); err == nil {
		t.Error("a new connection was let in")
	}
	if !strings.Contains(r.metrics(t), `reason="memory"} 1`) {
		t.Error("it is not counted")
	}
}
