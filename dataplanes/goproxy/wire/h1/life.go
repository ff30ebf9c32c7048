package h1

import (
	"context"
	"sync"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/wire/rawconn"
)

// life is the context of a connection. An exchange with a backend is tied to it
// without an allocation, and is cut off with it.
type life struct {
	context.Context //nolint:containedctx // It is one.
	end             context.CancelFunc

	mu     sync.Mutex
	over   bool
	awaits *rawconn.Conn
}

var _ rawconn.Watcher = (*life)(nil)

func (l *life) begin(ctx context.Context) { l.Context, l.end = context.WithCancel(ctx) }

// cut ends the life, and whatever waits for a backend in it. Who is woken by the
// one sees the other.
func (l *life) cut() {
	l.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	if l.awaits != nil {
		l.awaits.Abort()
	}
}

// Watch aborts a connection when the life ends.
func (l *life) Watch(c *rawconn.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.awaits = c
	if l.over {
		c.Abort()
	}
}

// Unwatch lets go of a connection.
func (l *life) Unwatch(c *rawconn.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.awaits == c {
		l.awaits = nil
	}
}
