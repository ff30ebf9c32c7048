package h2

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// exchangeContext ends when its stream is reset or its connection has gone. It
// costs no allocation of its own, and none for those who do not ask for Done.
type exchangeContext struct {
	context.Context //nolint:containedctx // It is one.

	mu       sync.Mutex
	done     chan struct{}
	err      error
	watchers []exchange.Aborter
	// room is for the watchers of an ordinary exchange.
	room [2]exchange.Aborter
}

type afterFunc struct{ f func() }

// Abort calls the function.
func (a *afterFunc) Abort() { a.f() }

var (
	_ exchange.Watcher = (*exchangeContext)(nil)
	_ exchange.Aborter = (*afterFunc)(nil)
)

// Done is closed when the exchange has no client any more.
func (c *exchangeContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

// Err is context.Canceled once the exchange has no client any more.
func (c *exchangeContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Deadline is never set.
func (c *exchangeContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// AfterFunc lets package context watch without a goroutine.
func (c *exchangeContext) AfterFunc(f func()) (stop func() bool) {
	a := &afterFunc{f: f}
	c.Watch(a)
	return func() bool { return c.Unwatch(a) }
}

// Watch has something cut off when the exchange has no client any more. It is
// cut off by a goroutine of its own, as the lock of a connection may be held.
func (c *exchangeContext) Watch(a exchange.Aborter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go a.Abort()
		return
	}
	if c.watchers == nil {
		c.watchers = c.room[:0]
	}
	c.watchers = append(c.watchers, a)
}

// Unwatch undoes it.
func (c *exchangeContext) Unwatch(a exchange.Aborter) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.watchers {
		if c.watchers[i] == a {
			c.watchers = append(c.watchers[:i], c.watchers[i+1:]...)
			return true
		}
	}
	return false
}

// end ends the context, once.
func (c *exchangeContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = context.Canceled
	if c.done != nil {
		close(c.done)
	}
	for _, a := range c.watchers {
		go a.Abort()
	}
	c.watchers = nil
}
