package h1

import (
	"io"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// requestBody is the content of one request. It outlives its exchange as an
// object, so that whoever still holds it reads nothing of the next one.
type requestBody struct {
	// mu is held while content is read.
	mu      sync.Mutex
	session *session
	conn    *rawconn.Conn
	content content
	closed  bool

	// answering guards what is said to the client between two responses.
	answering sync.Mutex
	wait      bool
}

var (
	_ io.ReadCloser     = (*requestBody)(nil)
	_ exchange.Gatherer = (*requestBody)(nil)
)

// Read reads content. The first read asks a client for it that waits to be
// asked (RFC 9110, section 10.1.1).
func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.session == nil || b.closed {
		return 0, io.ErrClosedPipe
	}
	if err := b.ask(); err != nil {
		return 0, err
	}
	return b.content.readInto(p)
}

// ask sends 100, once, unless content has come without or the answer has begun.
func (b *requestBody) ask() error {
	b.answering.Lock()
	defer b.answering.Unlock()
	if !b.wait {
		return nil
	}
	b.wait = false
	if len(b.session.in.buffered()) > 0 {
		return nil
	}
	_, err := b.conn.Send([]byte("HTTP/1.1 100 Continue\r\n\r\n"), time.Now(), b.session.server.Timeouts.Write)
	return err
}

// Close ends reading, in another goroutine too. What has not come by then costs
// the connection.
func (b *requestBody) Close() error {
	if !b.mu.TryLock() {
		b.conn.Interrupt()
		return nil
	}
	defer b.mu.Unlock()
	b.closed = true
	if b.session != nil {
		b.content.skip()
	}
	return nil
}

// What is left of a body when its answer begins.
type rest uint8

const (
	// bodyGone is nothing: another request can follow.
	bodyGone rest = iota
	// bodyShort is what can be read over when the answer was sent.
	bodyShort
	// bodyInWork is what costs the connection.
	bodyInWork
)

// mostDropped is how much of a body that nobody has begun is read over for the
// request behind it.
const mostDropped = 256 << 10

// answered says that the answer begins: nothing may come before it any more.
func (b *requestBody) answered() rest {
	b.answering.Lock()
	waits := b.wait
	b.wait = false
	b.answering.Unlock()
	if waits || !b.mu.TryLock() {
		return bodyInWork
	}
	defer b.mu.Unlock()
	b.content.skip()
	c := &b.content
	switch {
	case c.done():
		return bodyGone
	case c.err == nil && !b.closed && c.read == 0 && c.framing == Sized && c.left <= mostDropped:
		return bodyShort
	default:
		return bodyInWork
	}
}

// drop reads a short body over, and reports whether it came.
func (b *requestBody) drop() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &b.content
	for b.session != nil && !c.done() {
		if err := c.s.fill(); err != nil {
			return false
		}
		n := min(int64(len(c.s.buffered())), c.left)
		c.s.take(int(n))
		if c.left -= n; c.left == 0 {
			c.err = io.EOF
		}
	}
	return c.done()
}

// mostGathered is the length of a body that is waited for before a backend is
// asked: it is sent together with its head, and a client that sends it slowly
// holds no connection of the backend's meanwhile.
const mostGathered = bufferSize / 2

// Gather waits for a short body of known length.
func (b *requestBody) Gather(until time.Time) error {
	if err := b.gather(until); err != nil {
		return contentFault(err)
	}
	return nil
}

func (b *requestBody) gather(until time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &b.content
	if b.session == nil || b.wait || c.framing != Sized || c.left > mostGathered || c.err != nil {
		return nil
	}
	if int64(len(c.s.buffered())) >= c.left {
		return nil
	}
	patience := b.session.patience
	defer func() { b.session.patience = patience }()
	for int64(len(c.s.buffered())) < c.left {
		ours := b.hurry(patience, until)
		if err := c.s.fill(); err != nil {
			if c.err = c.explain(err); ours && c.err == exchange.ErrStalled { //nolint:errorlint // It is never wrapped.
				c.err = errBackendTimeout
			}
			return c.err
		}
	}
	return nil
}

// hurry has the next read end in time, and reports whether that is sooner than
// the client's own time is over.
func (b *requestBody) hurry(patience time.Duration, until time.Time) bool {
	if until.IsZero() {
		return false
	}
	left := max(time.Until(until), 1)
	if patience > 0 && patience <= left {
		return false
	}
	b.session.patience = left
	return true
}

// Whole returns the content, if all of it has come and its framing is over.
func (b *requestBody) Whole() ([]byte, bool) {
	if !b.mu.TryLock() {
		return nil, false
	}
	defer b.mu.Unlock()
	if b.session == nil || b.wait || b.closed {
		return nil, false
	}
	return b.content.whole()
}

// end takes the session away.
func (b *requestBody) end() {
	if !b.mu.TryLock() {
		b.conn.Interrupt()
		b.mu.Lock()
	}
	b.session = nil
	b.mu.Unlock()
}
