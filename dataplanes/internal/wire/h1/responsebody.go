package h1

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// responseBody is the content of one response. It is the one allocation of an
// ordinary exchange: what it stands for is used again, and a second Close must
// not end the exchange of another.
type responseBody struct{ answer *answer }

var _ io.ReadCloser = (*responseBody)(nil)

// Read reads content.
func (b *responseBody) Read(p []byte) (int, error) {
	if b.answer == nil {
		return 0, io.ErrClosedPipe
	}
	return b.answer.content.readInto(p)
}

// ready reports whether some of it has come.
func (b *responseBody) ready() bool {
	a := b.answer
	return a == nil || a.content.err != nil || len(a.content.s.buffered()) > 0
}

// Close ends the exchange. The connection can be used again if the content was
// read to its end, nothing follows it, and the whole request was sent.
func (b *responseBody) Close() error {
	a := b.answer
	if a == nil {
		return nil
	}
	b.answer = nil
	a.content.skip()
	again := a.content.done() && !a.head.Close
	if a.pump != nil && !a.pump.over() {
		again = false
		a.pump.stop()
	}
	if a.pump != nil && a.pump.failed() {
		again = false
	}
	a.finish(again)
	return nil
}

// upstreamTunnel is a backend's side of a connection after 101. The octets that
// came behind the head are the first of it. Closing it ends the exchange; no
// other goroutine may be reading or writing then, which abort is for.
type upstreamTunnel struct {
	answer *answer
	once   sync.Once
}

var _ io.ReadWriteCloser = (*upstreamTunnel)(nil)

// Read reads what the backend sends.
func (t *upstreamTunnel) Read(p []byte) (int, error) {
	in := &t.answer.up.in
	if b := in.buffered(); len(b) > 0 {
		n := copy(p, b)
		in.take(n)
		return n, nil
	}
	n, err := t.answer.up.conn.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) && t.outOfTime() {
		err = errBackendTimeout
	}
	return n, err
}

// outOfTime reports whether the time of the exchange is over, which ends tunnels
// that are in use too.
func (t *upstreamTunnel) outOfTime() bool {
	until := t.answer.up.until
	return !until.IsZero() && time.Until(until) < time.Millisecond
}

// Write sends to the backend.
func (t *upstreamTunnel) Write(p []byte) (int, error) { return t.answer.up.conn.Write(p) }

// CloseWrite ends our side alone.
func (t *upstreamTunnel) CloseWrite() error { return t.answer.up.conn.CloseWrite() }

// Close closes the connection.
func (t *upstreamTunnel) Close() error {
	t.once.Do(func() { t.answer.finish(false) })
	return nil
}

// Abort ends reads and writes, whichever goroutine they are in.
func (t *upstreamTunnel) Abort() { t.answer.up.conn.Abort() }

func (t *upstreamTunnel) ReadWithin(now time.Time, timeout time.Duration) error {
	if until := t.answer.up.until; !until.IsZero() {
		now = time.Now()
		if left := max(until.Sub(now), 1); timeout <= 0 || left < timeout {
			timeout = left
		}
	}
	return t.answer.up.conn.ReadWithin(now, timeout)
}
