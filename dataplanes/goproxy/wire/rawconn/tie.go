package rawconn

import "context"

// Watcher is a context that connections are tied to without an allocation. It
// aborts what it watches when it ends.
type Watcher interface {
	context.Context
	// Watch aborts c at once where the context has ended already.
	Watch(c *Conn)
	Unwatch(c *Conn)
}

// Tie is what an exchange with a backend hangs on. The zero value is nothing.
type Tie struct {
	watcher Watcher
	conn    *Conn
	stop    func() bool
}

// TieTo has a connection aborted when the context ends. A nil context never
// does.
func TieTo(ctx context.Context, c *Conn) Tie {
	if ctx == nil || ctx.Done() == nil {
		return Tie{}
	}
	if w, ok := ctx.(Watcher); ok {
		w.Watch(c)
		return Tie{watcher: w, conn: c}
	}
	return Tie{stop: context.AfterFunc(ctx, c.Abort)}
}

// Loosen is false if the connection was aborted, or is about to be.
func (t *Tie) Loosen() bool {
	switch {
	case t.watcher != nil:
		t.watcher.Unwatch(t.conn)
		return !t.conn.aborted.Load()
	case t.stop != nil:
		return t.stop()
	default:
		return true
	}
}
