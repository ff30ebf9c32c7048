package h2

import (
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
)

// stuck is a client that takes nothing.
type stuck struct{ come, release chan struct{} }

func (s *stuck) Send(int, exchange.Header) {
	s.come <- struct{}{}
	<-s.release
}

// TestStuckClientOfHints has a client that does not take what a backend says
// before its answer, and another on the same connection.
func TestStuckClientOfHints(t *testing.T) {
	pool, peers := scripted(t)
	client := &stuck{make(chan struct{}), make(chan struct{})}
	first, second := make(chan error, 1), make(chan error, 1)
	ask := func(q *exchange.Request, done chan<- error) {
		p, err := pool.Do(t.Context(), exchange.Ask{Request: q})
		if err == nil {
			p.Body.Close()
		}
		done <- err
	}
	q := plainGet()
	q.Interim = client
	go ask(q, first)
	p := <-peers
	id := p.request()
	p.head(id, false, ":status", "103", "link", "x")
	p.head(id, true, ":status", "204")
	<-client.come
	go ask(plainGet(), second)
	p.head(p.request(), true, ":status", "204")
	select {
	case err := <-second:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patient):
		t.Error("the other exchange waits for the client that takes nothing")
	}
	close(client.release)
	if err := <-first; err != nil {
		t.Error(err)
	}
}
