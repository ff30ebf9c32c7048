package h2

import (
	"context"
	"io"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// TestContentBreaksOff has a source that has too little or too much: what was not
// begun is answered otherwise, what was begun is reset.
func TestContentBreaksOff(t *testing.T) {
	for name, c := range map[string]struct {
		length int64
		want   reaction
	}{
		"too long":  {3, reaction{status: "502"}},
		"too short": {9, reaction{reset: 1, code: http2.ErrCodeInternal}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(context.Context, *exchange.Request) *exchange.Response {
				return &exchange.Response{Status: 200, Length: c.length, Body: io.NopCloser(strings.NewReader("seven!!"))}
			}).start()
			p := r.dial().hello()
			p.get(1)
			got := p.next()
			if got.status == "200" {
				got = p.next()
			}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			waitFor(t, func() bool {
				r.log.mu.Lock()
				defer r.log.mu.Unlock()
				return len(r.log.answered) == 1 && r.log.answered[0].Err != nil
			})
		})
	}
}

// TestUnwritableAnswer has a filter that put the end of a field into one.
func TestUnwritableAnswer(t *testing.T) {
	r := newRig(t, func(context.Context, *exchange.Request) *exchange.Response {
		return &exchange.Response{Status: 200, Header: exchange.Header{{Name: "x-a", Value: "b\r\nc"}}}
	}).start()
	p := r.dial().hello()
	p.get(1)
	if got := p.status(); got != 500 {
		t.Errorf("got %d, want 500", got)
	}
	want{}.living(t, p)
}

// TestLentContentStaysAsItIs has a client that resets a request whose content is
// being looked at, and sends another's.
func TestLentContentStaysAsItIs(t *testing.T) {
	come, reset := make(chan struct{}), make(chan struct{})
	got := make(chan string, 1)
	r := newRig(t, func(ctx context.Context, q *exchange.Request) *exchange.Response {
		if _, first := q.Header.Get("x-first"); !first {
			return answering(ctx, q)
		}
		for {
			if whole, ok := q.Whole(); ok {
				close(come)
				<-ctx.Done()
				<-reset
				got <- string(whole)
				return &exchange.Response{Status: 204}
			}
		}
	}).start()
	p := r.dial().hello()
	p.post(1, "x-first", "1")
	p.framer.WriteData(1, true, []byte("mine"))
	<-come
	p.framer.WriteRSTStream(1, http2.ErrCodeCancel)
	for id := uint32(3); id < 9; id += 2 {
		p.post(id)
		p.framer.WriteData(id, true, []byte("yours"))
		if got := p.status(); got != 200 {
			t.Fatalf("got %d", got)
		}
	}
	close(reset)
	if got := <-got; got != "mine" {
		t.Errorf("got %q, want %q", got, "mine")
	}
}

// TestLastAnswer has an answer that asks its client to go: what is on its way is
// served still.
func TestLastAnswer(t *testing.T) {
	r := newRig(t, func(context.Context, *exchange.Request) *exchange.Response {
		return &exchange.Response{Status: 204, Close: true}
	}).start()
	p := r.dial().hello()
	p.get(1)
	p.get(3)
	seen := map[string]int{}
	for {
		got := p.next()
		switch {
		case got.closed:
			if seen["204"] != 2 || seen["goaway"] == 0 {
				t.Errorf("got %v, want two answers and GOAWAY", seen)
			}
			return
		case got.goAway:
			seen["goaway"]++
			p.framer.WritePing(true, drainPing)
		default:
			seen[got.status]++
		}
	}
}
