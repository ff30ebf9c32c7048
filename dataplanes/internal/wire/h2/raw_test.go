package h2

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// rawCase is what a client sends and how the server must react.
type rawCase struct {
	// name begins with the section of h2spec or of the RFC that asks for it.
	name string
	send func(p *rawPeer)
	want want
}

// want is a reaction: a status, or codes of a stream's or a connection's end.
type want struct {
	status string
	alive  bool
	stream uint32
	codes  []http2.ErrCode
}

func answers(s string) want { return want{status: s} }

func alive() want { return want{alive: true} }

func resets(stream uint32, codes ...http2.ErrCode) want { return want{stream: stream, codes: codes} }

func ends(codes ...http2.ErrCode) want { return want{codes: codes} }

const (
	protocol    = http2.ErrCodeProtocol
	flow        = http2.ErrCodeFlowControl
	sizeErr     = http2.ErrCodeFrameSize
	compression = http2.ErrCodeCompression
	closedErr   = http2.ErrCodeStreamClosed
	calm        = http2.ErrCodeEnhanceYourCalm
	refusedErr  = http2.ErrCodeRefusedStream
)

func TestRawFrames(t *testing.T) {
	r := newRig(t, answering).start()
	for _, cases := range [][]rawCase{genericCases, frameCases, streamCases, headCases, bodyCases, hpackCases, settingCases} {
		for _, c := range cases {
			t.Run(strings.ReplaceAll(c.name, "/", "."), func(t *testing.T) {
				t.Parallel()
				p := r.dial()
				p.t = t
				p.hello()
				c.send(p)
				c.want.check(t, p)
			})
		}
	}
}

func (w want) check(t *testing.T, p *rawPeer) {
	t.Helper()
	switch {
	case w.status != "":
		if got := p.next(); got.status != w.status {
			t.Fatalf("got %+v, want status %s", got, w.status)
		}
		w.living(t, p)
	case w.alive:
		w.living(t, p)
	case w.stream != 0:
		got := p.skip()
		if got.reset != w.stream || !slices.Contains(w.codes, got.code) {
			t.Fatalf("got %+v, want a reset of %d with one of %v", got, w.stream, w.codes)
		}
		w.living(t, p)
	default:
		got := p.skip()
		for got.reset != 0 {
			got = p.skip()
		}
		if !got.goAway || !slices.Contains(w.codes, got.code) {
			t.Fatalf("got %+v, want GOAWAY with one of %v", got, w.codes)
		}
		if got := p.skip(); !got.closed {
			t.Fatalf("got %+v behind GOAWAY, want the end", got)
		}
	}
}

// skip is the next reaction that is no answer.
func (p *rawPeer) skip() reaction {
	for {
		if r := p.next(); r.status == "" {
			return r
		}
	}
}

// living wants a pong.
func (w want) living(t *testing.T, p *rawPeer) {
	t.Helper()
	p.framer.WritePing(false, [8]byte{1})
	for {
		switch r := p.next(); {
		case r.pong:
			return
		case r.goAway || r.closed:
			t.Fatalf("got %+v, want a connection that lives", r)
		case w.alive && r.reset != 0:
			t.Fatalf("got %+v, want no reset", r)
		}
	}
}
