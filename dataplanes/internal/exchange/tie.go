package exchange

import "context"

// Aborter is what can be cut off, by any goroutine and at any time.
type Aborter interface{ Abort() }

// Watcher is a context that exchanges with backends are tied to without an
// allocation. It aborts what it watches when it ends.
type Watcher interface {
	context.Context
	// Watch has a cut off when the context ends, at once where it has.
	Watch(a Aborter)
	// Unwatch undoes it. It is false where a was cut off, or is about to be.
	Unwatch(a Aborter) bool
}

// Tie is what an exchange with a backend hangs on. The zero value is nothing.
type Tie struct {
	watcher Watcher
	aborter Aborter
	stop    func() bool
}

// TieTo has something aborted when the context ends. A nil context never does.
func TieTo(ctx context.Context, a Aborter) Tie {
	if ctx == nil || ctx.Done() == nil {
		return Tie{}
	}
	if w, ok := ctx.(Watcher); ok {
		w.Watch(a)
		return Tie{watcher: w, aborter: a}
	}
	return Tie{stop: context.AfterFunc(ctx, a.Abort)}
}

// Loosen is false if what was tied was aborted, or is about to be.
func (t *Tie) Loosen() bool {
	switch {
	case t.watcher != nil:
		return t.watcher.Unwatch(t.aborter)
	case t.stop != nil:
		return t.stop()
	default:
		return true
	}
}
