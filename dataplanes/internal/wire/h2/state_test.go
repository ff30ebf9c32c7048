package h2

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// endless is a body that always has more.
type endless struct{ closed chan struct{} }

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func (e endless) Close() error {
	close(e.closed)
	return nil
}

// timed is a server with a change of its settings.
func timed(t *testing.T, serve func(context.Context, *exchange.Request) *exchange.Response, change func(*Server)) *rig {
	t.Helper()
	r := newRig(t, serve)
	change(r.server)
	return r.start()
}

func (r *rig) wantRefused(reason string) {
	r.t.Helper()
	waitFor(r.t, func() bool {
		r.log.mu.Lock()
		defer r.log.mu.Unlock()
		return slices.Contains(r.log.refused, reason)
	})
}

func TestSlowPreface(t *testing.T) {
	for name, first := range map[string]string{"silent": "", "half": "PRI * HTT", "no settings": http2.ClientPreface} {
		t.Run(name, func(t *testing.T) {
			r := timed(t, answering, func(s *Server) { s.Timeouts.Head = 30 * time.Millisecond })
			c, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, first)
			r.wantRefused("slow-preface")
			c.SetDeadline(time.Now().Add(patient))
			io.Copy(io.Discard, c)
		})
	}
}

func TestWrongPreface(t *testing.T) {
	for name, first := range map[string]string{
		"http/1.1":         "GET / HTTP/1.1\r\nHost: x.example\r\n\r\n",
		"ping first":       http2.ClientPreface + "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678",
		"ack first":        http2.ClientPreface + "\x00\x00\x00\x04\x01\x00\x00\x00\x00",
		"one octet wrong":  "PRI * HTTP/2.0\r\n\r\nSM\r\r\r\n",
		"settings too big": http2.ClientPreface + "\x01\x00\x00\x04\x00\x00\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, answering).start()
			c, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(patient))
			io.WriteString(c, first)
			if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("got %v, want the end", err)
			}
		})
	}
}

func TestSlowHead(t *testing.T) {
	r := timed(t, answering, func(s *Server) { s.Timeouts.Head = 50 * time.Millisecond })
	p := r.dial().hello()
	p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(getPseudo...), EndStream: true})
	if got := p.next(); !got.goAway {
		t.Errorf("got %+v, want GOAWAY", got)
	}
	r.wantRefused("slow-head")
}

func TestHalfAFrame(t *testing.T) {
	r := timed(t, answering, func(s *Server) { s.Timeouts.Head = 50 * time.Millisecond })
	p := r.dial().hello()
	io.WriteString(p.conn, "\x00\x00")
	if got := p.next(); !got.goAway {
		t.Errorf("got %+v, want GOAWAY", got)
	}
}

func TestIdle(t *testing.T) {
	r := timed(t, answering, func(s *Server) { s.Timeouts.Idle = 50 * time.Millisecond })
	p := r.dial().hello()
	p.get(1)
	p.status()
	if got := p.next(); !got.goAway || got.code != http2.ErrCodeNo {
		t.Errorf("got %+v, want GOAWAY", got)
	}
}

func TestIdleBehindALongExchange(t *testing.T) {
	release := make(chan struct{})
	r := timed(t, func(context.Context, *exchange.Request) *exchange.Response {
		<-release
		return &exchange.Response{Status: 204}
	}, func(s *Server) { s.Timeouts.Idle = 20 * time.Millisecond })
	p := r.dial().hello()
	p.get(1)
	time.AfterFunc(100*time.Millisecond, func() { close(release) })
	if got := p.status(); got != 204 {
		t.Errorf("got %d", got)
	}
	if got := p.next(); !got.goAway {
		t.Errorf("got %+v, want GOAWAY", got)
	}
}

func TestSilentClientIsAsked(t *testing.T) {
	r := timed(t, answering, func(s *Server) { s.Timeouts.Ping = 30 * time.Millisecond })
	p := r.dial().hello()
	p.hang(1)
	if got := p.skip(); !got.goAway {
		t.Errorf("got %+v, want GOAWAY", got)
	}
	r.wantRefused("no-answer-to-ping")
}

func TestSlowBody(t *testing.T) {
	r := timed(t, answering, func(s *Server) { s.Timeouts.Read = 30 * time.Millisecond })
	p := r.dial().hello()
	p.post(1)
	p.framer.WriteData(1, false, []byte("te"))
	if got := p.status(); got != 400 {
		t.Errorf("got %d", got)
	}
	// The rest of the request is not needed.
	if got := p.next(); got.reset != 1 || got.code != http2.ErrCodeNo {
		t.Errorf("got %+v", got)
	}
	p.framer.WriteData(1, true, []byte("st"))
	want{}.living(t, p)
}

func TestClientThatReadsNothing(t *testing.T) {
	body := endless{closed: make(chan struct{})}
	r := timed(t, func(context.Context, *exchange.Request) *exchange.Response {
		return &exchange.Response{Status: 200, Length: -1, Body: body}
	}, func(s *Server) { s.Timeouts.Write = 50 * time.Millisecond })
	t.Run("window", func(t *testing.T) {
		p := r.dial().hello()
		p.get(1)
		if got := p.status(); got != 200 {
			t.Errorf("got %d", got)
		}
		if got := p.next(); got.reset != 1 || got.code != http2.ErrCodeCancel {
			t.Errorf("got %+v, want a reset", got)
		}
		<-body.closed
		want{}.living(t, p)
	})
}

func TestClientThatReadsNothingHoldsLittle(t *testing.T) {
	body := endless{closed: make(chan struct{})}
	r := timed(t, func(context.Context, *exchange.Request) *exchange.Response {
		return &exchange.Response{Status: 200, Length: -1, Body: body}
	}, func(s *Server) { s.Timeouts.Write = 100 * time.Millisecond })
	p := r.dial().hello(http2.Setting{ID: http2.SettingInitialWindowSize, Val: mostWindow})
	p.framer.WriteWindowUpdate(0, mostWindow-initialWindow)
	p.get(1)
	var s *session
	waitFor(t, func() bool {
		r.server.mu.Lock()
		defer r.server.mu.Unlock()
		for s = range r.server.sessions {
		}
		return s != nil
	})
	most := 0
	waitFor(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		most = max(most, cap(s.out.buf)+cap(s.out.spare))
		select {
		case <-body.closed:
			return true
		default:
			return false
		}
	})
	if most > 4*outLimit {
		t.Errorf("%d octets were held, want at most %d", most, 4*outLimit)
	}
}

func TestFloodWithoutReading(t *testing.T) {
	r := timed(t, answering, func(s *Server) { s.Limits.Patience, s.Timeouts.Write = 1<<30, 100*time.Millisecond })
	p := r.dial().hello()
	frame := []byte("\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678")
	for len(frame) < 1<<16 {
		frame = append(frame, frame...)
	}
	for {
		if _, err := p.conn.Write(frame); err != nil {
			break
		}
	}
	waitFor(t, func() bool { return r.server.Open() == 0 })
}

func TestDrain(t *testing.T) {
	release := make(chan struct{})
	r := newRig(t, func(context.Context, *exchange.Request) *exchange.Response {
		<-release
		return &exchange.Response{Status: 204}
	}).start()
	p := r.dial().hello()
	p.get(1)
	waitFor(t, func() bool { return r.active() == 1 })
	r.server.Drain()
	f, err := p.framer.ReadFrame()
	if g, ok := f.(*http2.GoAwayFrame); err != nil || !ok || g.LastStreamID != mostWindow {
		t.Fatalf("got %v, %v, want a warning", f, err)
	}
	// What was on its way is served.
	p.get(3)
	waitFor(t, func() bool { return r.active() == 2 })
	p.framer.WritePing(true, drainPing)
	for {
		f, err = p.framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if g, ok := f.(*http2.GoAwayFrame); ok {
			if g.LastStreamID != 3 {
				t.Fatalf("got %v, want 3 as the last", g)
			}
			break
		}
	}
	close(release)
	if a, b := p.status(), p.status(); a != 204 || b != 204 {
		t.Errorf("got %d, %d", a, b)
	}
	if got := p.next(); !got.closed {
		t.Errorf("got %+v, want the end", got)
	}
	waitFor(t, func() bool { return r.server.Open() == 0 })
}

func (r *rig) active() (n int) {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	for s := range r.server.sessions {
		s.mu.Lock()
		n += s.active
		s.mu.Unlock()
	}
	return n
}

func TestHandlerPanics(t *testing.T) {
	r := newRig(t, func(context.Context, *exchange.Request) *exchange.Response { panic("no") }).start()
	p := r.dial().hello()
	p.get(1)
	if got := p.next(); got.reset != 1 || got.code != http2.ErrCodeInternal {
		t.Errorf("got %+v", got)
	}
	want{}.living(t, p)
}

func TestContinue(t *testing.T) {
	r := newRig(t, answering).start()
	p := r.dial().hello()
	p.post(1, "expect", "100-continue", "content-length", "4")
	if got := p.status(); got != 100 {
		t.Fatalf("got %d", got)
	}
	p.framer.WriteData(1, true, []byte("test"))
	if got := p.status(); got != 200 {
		t.Errorf("got %d", got)
	}
}

func TestContentOverTheLimit(t *testing.T) {
	seen := make(chan error, 1)
	r := timed(t, func(_ context.Context, q *exchange.Request) *exchange.Response {
		_, err := io.Copy(io.Discard, q.Body)
		seen <- err
		return &exchange.Response{Status: 413}
	}, func(s *Server) { s.Limits.BodyBytes = 10 })
	p := r.dial().hello()
	p.post(1)
	p.framer.WriteData(1, false, make([]byte, 11))
	if got := p.status(); got != 413 {
		t.Errorf("got %d", got)
	}
	if err := <-seen; err != exchange.ErrBodyTooLarge {
		t.Errorf("got %v", err)
	}
	p = r.dial().hello()
	p.post(1, "content-length", "11")
	if got := p.status(); got != 413 {
		t.Errorf("got %d", got)
	}
}

// TestUnreadContentIsBounded has a request whose content nobody reads.
func TestUnreadContentIsBounded(t *testing.T) {
	r := newRig(t, answering).start()
	p := r.dial().hello()
	p.post(1, "x-hang", "1")
	for range 4 {
		p.framer.WriteData(1, false, make([]byte, 16384))
	}
	p.get(3)
	if got := p.status(); got != 200 {
		t.Errorf("got %d", got)
	}
	p.framer.WriteData(1, false, []byte("x"))
	if got := p.next(); got.reset != 1 || got.code != http2.ErrCodeFlowControl {
		t.Errorf("got %+v, want a reset", got)
	}
	p.post(5)
	p.framer.WriteData(5, true, make([]byte, 16384))
	if got := p.status(); got != 200 {
		t.Errorf("got %d", got)
	}
}

func TestWindowsAreKept(t *testing.T) {
	r := newRig(t, func(context.Context, *exchange.Request) *exchange.Response {
		return &exchange.Response{Status: 200, Length: 7, Body: io.NopCloser(strings.NewReader("seven!!"))}
	}).start()
	p := r.dial().hello(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 3})
	p.get(1)
	want := []string{"sev", "en!", "!"}
	for i, w := range want {
		got := p.data()
		if string(got.Data()) != w || got.StreamEnded() != (i == 2) {
			t.Fatalf("got %q, want %q", got.Data(), w)
		}
		if i == 0 {
			p.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			p.framer.WriteWindowUpdate(1, 3+3)
			continue
		}
		p.framer.WriteWindowUpdate(1, 3)
	}
}

func (p *rawPeer) data() *http2.DataFrame {
	for {
		f, err := p.framer.ReadFrame()
		if err != nil {
			p.t.Fatal(err)
		}
		if d, ok := f.(*http2.DataFrame); ok {
			return d
		}
	}
}
