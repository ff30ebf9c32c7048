package h2

import (
	"context"
	"testing"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

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

// TestBackendThatTakesNothingForNow is asked again when it takes something, and
// over the connection that it has.
func TestBackendThatTakesNothingForNow(t *testing.T) {
	pool, peers := scripted(t, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0})
	result := make(chan string, 1)
	go func() { result <- fetch(pool, plainGet()) }()
	p := <-peers
	waitFor(t, pool.waited.Load)
	if n := pool.Open(); n != 1 {
		t.Errorf("%d connections", n)
	}
	p.framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
	id := p.request()
	p.head(id, false, ":status", "200")
	p.framer.WriteData(id, true, []byte("body"))
	if got := <-result; got != "body" {
		t.Errorf("got %q", got)
	}
}
