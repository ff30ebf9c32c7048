package h2

import (
	"context"
	"testing"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// TestContentOfCancelledExchanges has what was on its way when its readers went:
// it must not be held against a backend whose connection others share.
func TestContentOfCancelledExchanges(t *testing.T) {
	const exchanges, pieces = 150, 40
	pool, peers := scripted(t)
	answers := make(chan *exchange.Response, exchanges)
	for range exchanges {
		go func() {
			p, err := pool.Do(t.Context(), exchange.Ask{Request: plainGet()})
			if err != nil {
				t.Error(err)
			}
			answers <- p
		}()
	}
	p := <-peers
	var ids []uint32
	for range exchanges {
		id := p.request()
		p.head(id, false, ":status", "200")
		ids = append(ids, id)
	}
	for range exchanges {
		if p := <-answers; p != nil {
			p.Body.Close()
		}
	}
	for range exchanges {
		if got := p.next(); got.reset == 0 {
			t.Fatalf("got %+v, want a reset", got)
		}
	}
	for range pieces {
		for _, id := range ids {
			p.framer.WriteData(id, false, make([]byte, 100))
		}
	}
	p.framer.WritePing(false, [8]byte{1})
	if got := p.next(); !got.pong {
		t.Errorf("got %+v, want the connection to live", got)
	}
}

// TestContentBehindEarlyAnswers has a client that learns too late that nobody
// reads what it sends.
func TestContentBehindEarlyAnswers(t *testing.T) {
	const exchanges, pieces = 200, 20
	r := newRig(t, func(context.Context, *exchange.Request) *exchange.Response {
		return &exchange.Response{Status: 401}
	}).start()
	p := r.dial().hello()
	for i := range exchanges {
		id := uint32(2*i + 1)
		p.post(id)
		if got := p.next(); got.status != "401" {
			t.Fatalf("exchange %d: got %+v", i, got)
		}
		if got := p.next(); got.reset != id || got.code != http2.ErrCodeNo {
			t.Fatalf("exchange %d: got %+v", i, got)
		}
		for range pieces {
			p.framer.WriteData(id, false, make([]byte, 100))
		}
	}
	p.framer.WritePing(false, [8]byte{1})
	if got := p.next(); !got.pong {
		t.Errorf("got %+v, want the connection to live", got)
	}
}

// TestEmptyContentBehindAReset is useless work that nobody has allowed.
func TestEmptyContentBehindAReset(t *testing.T) {
	r := newRig(t, func(context.Context, *exchange.Request) *exchange.Response {
		return &exchange.Response{Status: 401}
	}).start()
	p := r.dial().hello()
	p.post(1)
	p.next()
	p.next()
	for range 10000 {
		p.framer.WriteData(1, false, nil)
	}
	if got := p.next(); !got.goAway && !got.closed {
		t.Errorf("got %+v, want the end", got)
	}
	r.wantRefused("flood")
}
