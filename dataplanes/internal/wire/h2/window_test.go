package h2

import (
	"context"
	"io"
	"testing"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// ackOf reads up to the acknowledgement of settings.
func (p *rawPeer) ackOf() {
	p.t.Helper()
	for {
		f, err := p.framer.ReadFrame()
		if err != nil {
			p.t.Fatal(err)
		}
		if s, ok := f.(*http2.SettingsFrame); ok && s.IsAck() {
			return
		}
	}
}

// content reads n octets of content, and an end behind them where it is asked
// for.
func (p *rawPeer) content(n int, end bool) {
	p.t.Helper()
	for got, ended := 0, false; got < n || end && !ended; {
		f, err := p.framer.ReadFrame()
		if err != nil {
			p.t.Fatal(err)
		}
		p.learn(f)
		switch f := f.(type) {
		case *http2.DataFrame:
			got, ended = got+len(f.Data()), f.StreamEnded()
		case *http2.RSTStreamFrame:
			p.t.Fatalf("reset with %v", f.ErrCode)
		}
	}
}

// TestEndBehindANegativeWindow has a peer that takes back what it has allowed: an
// end needs no window (RFC 9113, section 6.9.2).
func TestEndBehindANegativeWindow(t *testing.T) {
	none := http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}
	t.Run("backend", func(t *testing.T) {
		pool, peers := scripted(t)
		in, out := io.Pipe()
		q := plainPost("")
		q.Length, q.Body = -1, in
		answered := make(chan error, 1)
		go func() {
			p, err := pool.Do(t.Context(), exchange.Ask{Request: q})
			if err == nil {
				p.Body.Close()
			}
			answered <- err
		}()
		p := <-peers
		id := p.request()
		io.WriteString(out, "some content")
		p.content(len("some content"), false)
		p.framer.WriteSettings(none)
		p.ackOf()
		out.Close()
		p.content(0, true)
		p.head(id, true, ":status", "204")
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
	t.Run("client", func(t *testing.T) {
		in, out := io.Pipe()
		r := newRig(t, func(context.Context, *exchange.Request) *exchange.Response {
			return &exchange.Response{Status: 200, Length: -1, Body: in}
		}).start()
		p := r.dial().hello()
		p.get(1)
		io.WriteString(out, "some content")
		p.content(len("some content"), false)
		p.framer.WriteSettings(none)
		p.ackOf()
		out.Close()
		p.content(0, true)
	})
}

// A stream's window grows while its reader keeps up, to its bound and no more,
// and stays small otherwise.
func TestWindowGrowsWithItsReader(t *testing.T) {
	const most = 64 << 10
	for name, c := range map[string]struct {
		behind int
		want   int64
	}{
		"a reader who keeps up": {0, most},
		"a reader who does not": {1, most / 4},
	} {
		t.Run(name, func(t *testing.T) {
			l := &link{limits: &Limits{StreamWindow: most, ConnWindow: 1 << 20}}
			// Nobody writes.
			l.out.writing = true
			s := &stream{}
			s.init(l, 1)
			for range 64 {
				n := min(s.recvWindow, 1000)
				s.recvWindow -= n
				s.in.n = c.behind
				l.mu.Lock()
				s.consumed(int(n))
				l.mu.Unlock()
			}
			if s.window != c.want {
				t.Errorf("a window of %d, want %d", s.window, c.want)
			}
			if got := s.recvWindow + s.unreported; got != s.window {
				t.Errorf("%d to be sent and given back, of %d", got, s.window)
			}
		})
	}
}
