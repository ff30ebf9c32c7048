package h1

import (
	"context"
	"sync"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// life is the context of a connection. An exchange with a backend is tied to it
// without an allocation, and is cut off with it.
type life struct {
	context.Context //nolint:containedctx // It is one.
	end             context.CancelFunc

	mu     sync.Mutex
	over   bool
	awaits exchange.Aborter
}

var _ exchange.Watcher = (*life)(nil)

func (l *life) begin(ctx context.Context) { l.Context, l.end = context.WithCancel(ctx) }

// cut ends the life, and then whatever waits for a backend in it: who is woken
// by that sees why.
func (l *life) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.end()
	if l.awaits != nil {
		l.awaits.Abort()
	}
}

// Watch has an exchange with a backend cut off when the life ends.
func (l *life) Watch(a exchange.Aborter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.awaits = a
	if l.over {
		a.Abort()
	}
}

// Unwatch lets go of it.
func (l *life) Unwatch(a exchange.Aborter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.awaits == a {
		l.awaits = nil
	}
	return !l.over
}
