package h2

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// TestStoppedBackend has a backend that takes no octet any more, and clients that
// lose patience one after the other: what waits for it must not grow with them.
func TestStoppedBackend(t *testing.T) {
	const clients, requests = 50, 60
	pool, peers := scripted(t)
	pool.MaxConns = 2
	q := plainGet()
	q.Path += strings.Repeat("x", 16<<10)
	most := 0
	var all sync.WaitGroup
	var mu sync.Mutex
	for range clients {
		all.Go(func() {
			for range requests {
				if p, err := pool.Do(t.Context(), exchange.Ask{Request: q, Until: time.Now().Add(5 * time.Millisecond)}); err == nil {
					t.Error("it was answered")
					p.Body.Close()
				}
				mu.Lock()
				most = max(most, pool.queued())
				mu.Unlock()
			}
		})
	}
	all.Wait()
	// Each may have taken its place before the others have said anything.
	if limit := pool.MaxConns * (outMost + clients*(17<<10)); most > limit {
		t.Errorf("%d octets wait, want at most %d", most, limit)
	}
	// The first that reads again is asked again.
	answered := make(chan error, 1)
	go func() {
		p, err := pool.Do(t.Context(), exchange.Ask{Request: plainGet()})
		if err == nil {
			p.Body.Close()
		}
		answered <- err
	}()
	for range pool.Open() {
		go func(p *rawPeer) {
			for id := p.request(); id != 0; id = p.request() {
				p.head(id, true, ":status", "204")
			}
		}(<-peers)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// queued counts the octets that wait to be written.
func (p *Pool) queued() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, b := range p.conns {
		b.mu.Lock()
		n += len(b.out.buf)
		b.mu.Unlock()
	}
	return n
}

// TestLongQueueIsNoFlood has a peer speak while a long head waits to be written
// to it.
func TestLongQueueIsNoFlood(t *testing.T) {
	pool, peers := scripted(t)
	pool.Limits.HeadBytes = 4 << 20
	ctx, cancel := context.WithCancel(t.Context())
	q := plainGet()
	q.Path += strings.Repeat("x", 8<<20)
	failed := make(chan error, 1)
	go func() {
		_, err := pool.Do(ctx, exchange.Ask{Request: q})
		failed <- err
	}()
	p := <-peers
	waitFor(t, pool.writing)
	go func() {
		_, err := pool.Do(ctx, exchange.Ask{Request: q})
		failed <- err
	}()
	waitFor(t, func() bool { return pool.queued() > outMost })
	p.framer.WriteWindowUpdate(0, 1)
	p.framer.WritePing(false, [8]byte{1})
	for ponged := false; !ponged; {
		f, err := p.framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		ping, ok := f.(*http2.PingFrame)
		ponged = ok && ping.IsAck()
	}
	cancel()
	for range 2 {
		if err := <-failed; err != errAbandoned { //nolint:errorlint // It is never wrapped.
			t.Errorf("got %v", err)
		}
	}
}

// writing says whether a connection has taken off its queue and is writing it.
func (p *Pool) writing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.conns {
		b.mu.Lock()
		writing := b.out.writing && len(b.out.buf) == 0 && b.lastID > 0
		b.mu.Unlock()
		if writing {
			return true
		}
	}
	return false
}
