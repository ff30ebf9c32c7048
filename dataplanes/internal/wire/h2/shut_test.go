package h2

import (
	"context"
	"io"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// TestWhoCannotSendIsNotWaitedFor has content of one request, which its backend
// does not read for longer than a client may stall, fill the window of the
// connection, as what a stream begins with does here. A request beside it is not
// given up because its client cannot send.
func TestWhoCannotSendIsNotWaitedFor(t *testing.T) {
	const stall = time.Second
	for name, head := range map[string][]string{"of unknown length": nil, "short": {"content-length", "5"}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(ctx context.Context, q *exchange.Request) *exchange.Response {
				if _, busy := q.Header.Get("x-busy"); busy {
					<-time.After(5 * stall / 2)
				} else if err := q.Body.(exchange.Gatherer).Gather(time.Time{}); err != nil {
					return &exchange.Response{Status: 408}
				}
				if _, err := io.Copy(io.Discard, q.Body); err != nil {
					return &exchange.Response{Status: 408}
				}
				return &exchange.Response{Status: 200}
			})
			r.server.Limits = Limits{ConnWindow: initialWindow, StreamWindow: 4 * initialWindow, Rate: 1000}
			r.server.Timeouts = Timeouts{Read: stall}
			p := r.start().dial().hello()
			p.post(1, "x-busy", "yes")
			for left := initialWindow; left > 0; left -= min(left, initialFrame) {
				_ = p.framer.WriteData(1, left <= initialFrame, make([]byte, min(left, initialFrame)))
			}
			p.post(3, head...)
			for open := false; !open; {
				f, err := p.framer.ReadFrame()
				if err != nil {
					t.Fatal(err)
				}
				if _, answered := f.(*http2.HeadersFrame); answered {
					t.Fatal("answered before its content could come")
				}
				update, ok := f.(*http2.WindowUpdateFrame)
				open = ok && update.StreamID == 0
			}
			_ = p.framer.WriteData(3, true, []byte("hello"))
			for range 2 {
				if got := p.status(); got != 200 {
					t.Errorf("got %d, want 200", got)
				}
			}
		})
	}
}
