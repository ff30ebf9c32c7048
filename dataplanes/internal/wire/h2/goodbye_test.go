package h2

import (
	"context"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// slowGoodbye is a connection whose end waits for the peer, as that of TLS does.
type slowGoodbye struct {
	net.Conn
	come    chan struct{}
	release <-chan struct{}
}

func (c *slowGoodbye) CloseWrite() error {
	c.come <- struct{}{}
	<-c.release
	return nil
}

// TestSlowGoodbye has a connection that takes its time to end while others are
// asked for.
func TestSlowGoodbye(t *testing.T) {
	pool, peers := scripted(t)
	dial, come, release := pool.Dial, make(chan struct{}, 10), make(chan struct{})
	t.Cleanup(func() { close(release) })
	pool.Dial = func(ctx context.Context) (net.Conn, error) {
		c, err := dial(ctx)
		return rawconn.Plain(&slowGoodbye{c, come, release}), err
	}
	results := make(chan string, 1)
	ask := func() *rawPeer {
		go func() { results <- fetch(pool, plainGet()) }()
		p := <-peers
		id := p.request()
		p.framer.WriteGoAway(id, http2.ErrCodeNo, nil)
		p.head(id, false, ":status", "200")
		p.framer.WriteData(id, true, []byte("body"))
		return p
	}
	ask()
	if got := <-results; got != "body" {
		t.Fatalf("got %q", got)
	}
	<-come
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		ask()
		if got := <-results; got != "body" {
			t.Errorf("got %q", got)
		}
	}()
	select {
	case <-answered:
	case <-time.After(patient):
		t.Error("the next exchange waits for the connection that ends")
	}
}

// TestSilentConnectionIsLeft has what is between us forget a connection: what may
// be sent again is sent over another.
func TestSilentConnectionIsLeft(t *testing.T) {
	pool, peers := scripted(t)
	pool.Ping, pool.IdleTimeout = 500*time.Millisecond, 500*time.Millisecond
	results := make(chan string, 1)
	go func() { results <- fetch(pool, plainGet()) }()
	(<-peers).request()
	p := <-peers
	id := p.request()
	p.head(id, false, ":status", "200")
	p.framer.WriteData(id, true, []byte("body"))
	if got := <-results; got != "body" {
		t.Errorf("got %q", got)
	}
}
