package h2

import (
	"context"
	"testing"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
)

// TestLeavingConnectionsTakeNoPlace has a backend that asks for new connections
// while exchanges are long.
func TestLeavingConnectionsTakeNoPlace(t *testing.T) {
	pool, peers := scripted(t)
	pool.MaxConns = 2
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	for range 5 {
		answered := make(chan error, 1)
		go func() {
			_, err := pool.Do(ctx, exchange.Ask{Request: plainGet()})
			answered <- err
		}()
		select {
		case p := <-peers:
			id := p.request()
			p.head(id, false, ":status", "200")
			p.framer.WriteGoAway(id, http2.ErrCodeNo, nil)
			p.framer.WritePing(false, [8]byte{1})
			if got := p.next(); !got.pong {
				t.Errorf("got %+v", got)
			}
		case <-ctx.Done():
			t.Fatal("no connection was opened")
		}
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
}

// TestLeavingWakesWhoWaits has an exchange wait for a place on the only
// connection, which then leaves.
func TestLeavingWakesWhoWaits(t *testing.T) {
	pool, peers := scripted(t, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
	pool.MaxConns = 1
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	answered := make(chan error, 2)
	ask := func() {
		_, err := pool.Do(ctx, exchange.Ask{Request: plainGet()})
		answered <- err
	}
	go ask()
	p := <-peers
	id := p.request()
	p.head(id, false, ":status", "200")
	go ask()
	waitFor(t, pool.waited.Load)
	p.framer.WriteGoAway(id, http2.ErrCodeNo, nil)
	select {
	case p := <-peers:
		p.head(p.request(), false, ":status", "200")
	case <-ctx.Done():
		t.Fatal("no connection was opened")
	}
	for range 2 {
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
}
