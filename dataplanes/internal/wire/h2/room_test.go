package h2

import (
	"context"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// lateEnder takes its time with what it is told.
type lateEnder chan struct{}

func (e lateEnder) Done(exchange.Sent) { <-e }

type lateHandler struct{ ender lateEnder }

func (h lateHandler) Serve(context.Context, exchange.Incoming) exchange.Answer {
	return exchange.Answer{Response: &exchange.Response{Status: 204}, Ender: h.ender}
}

// TestEndedStreamsLeaveRoom has a client that uses all of its streams, and begins
// the next when it has seen the end of one (RFC 9113, section 5.1.2).
func TestEndedStreamsLeaveRoom(t *testing.T) {
	ender := make(lateEnder)
	r := newRig(t, nil)
	r.server.Handler, r.server.Limits.Streams = lateHandler{ender}, 1
	r.start()
	t.Cleanup(func() { close(ender) })
	p := r.dial().hello()
	p.get(1)
	if got := p.next(); got.status != "204" {
		t.Fatalf("got %+v", got)
	}
	p.get(3)
	if got := p.next(); got.status != "204" {
		t.Errorf("got %+v, want an answer", got)
	}
}
