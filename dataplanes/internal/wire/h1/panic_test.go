package h1

import (
	"context"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// panicking is a body that cannot be read, and tells when it is closed.
type panicking struct{ closed chan bool }

func (b *panicking) Read([]byte) (int, error) { panic("test") }

func (b *panicking) Close() error {
	close(b.closed)
	return nil
}

// TestAnswerThatPanicsEnds has whoever counts exchanges told of one whose answer
// panics while it is sent, and whoever holds the backend's connection let go.
func TestAnswerThatPanicsEnds(t *testing.T) {
	p := newProxy(t, "", ways["raw"])
	body := &panicking{closed: make(chan bool)}
	p.handle(func(context.Context, *exchange.Request) *exchange.Response {
		return &exchange.Response{Status: 200, Length: 10, Body: body}
	})
	p.start()
	p.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ended()
	<-body.closed
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	if len(p.log.errors) != 1 {
		t.Errorf("the end was told with %v, want one error", p.log.errors)
	}
}
