package h1

import (
	"context"
	"sync"
)

// life is the context of a connection. An exchange with a backend is tied to it
// without an allocation, and is cut off with it.
type life struct {
	context.Context //nolint:containedctx // It is one.
	end             context.CancelFunc

	mu     sync.Mutex
	over   bool
	awaits *Conn
}

var _ context.Context = (*life)(nil)

func (l *life) begin(ctx context.Context) { l.Context, l.end = context.WithCancel(ctx) }

// cut ends the life, and whatever waits for a backend in it.
func (l *life) cut() {
	l.mu.Lock()
	l.over = true
	if l.awaits != nil {
		l.awaits.abort()
	}
	l.mu.Unlock()
	l.end()
}

func (l *life) tie(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.awaits = c
	if l.over {
		c.abort()
	}
}

func (l *life) untie(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.awaits == c {
		l.awaits = nil
	}
}

// tie is what an exchange with a backend hangs on. The zero value is nothing.
type tie struct {
	life *life
	conn *Conn
	stop func() bool
}

// tieTo has a connection aborted when the context ends.
func tieTo(ctx context.Context, c *Conn) tie {
	if ctx == nil || ctx.Done() == nil {
		return tie{}
	}
	if l, ok := ctx.(*life); ok {
		l.tie(c)
		return tie{life: l, conn: c}
	}
	return tie{stop: context.AfterFunc(ctx, c.abort)}
}

// loosen is false if the connection was aborted, or is about to be.
func (t *tie) loosen() bool {
	switch {
	case t.life != nil:
		t.life.untie(t.conn)
		return !t.conn.aborted.Load()
	case t.stop != nil:
		return t.stop()
	default:
		return true
	}
}
