package h2

import (
	"errors"
	"io"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// copyBody sends the content, the first of it together with out where that is
// not nil. Each piece goes when it comes.
func (sv *serving) copyBody(p *exchange.Response, out *headOut) error {
	small := buffers.Get().(*[bufferSize]byte) //nolint:errcheck,forcetypeassert // The pool holds nothing else.
	defer buffers.Put(small)
	c := copying{to: &sv.stream, body: p.Body, length: p.Length, trailer: p.Trailer, head: out, buf: small[:]}
	defer c.free()
	for {
		done, err := c.piece()
		sv.sent = c.written
		if err != nil || done {
			return err
		}
	}
}

// copying is content on its way to a peer.
type copying struct {
	to      *stream
	body    io.Reader
	length  int64
	trailer *exchange.Header
	head    *headOut
	buf     []byte
	large   *[largeSteps]byte
	// sent was read, written was taken by the peer's connection.
	sent, written int64
	// source is why the content broke off, if that was its own doing.
	source error
}

func (c *copying) free() {
	if c.large != nil {
		largeBuffers.Put(c.large)
	}
}

// piece reads once and sends what it got.
func (c *copying) piece() (done bool, _ error) {
	n, err := c.body.Read(c.buf)
	c.sent += int64(n)
	if done, c.source = c.ended(err); c.source != nil {
		return false, errors.Join(c.source, errSource)
	}
	if err := c.begin(); err != nil {
		return false, err
	}
	trailer := done && c.trailer != nil && len(*c.trailer) > 0
	if n > 0 || done && !trailer {
		if err := c.to.send(c.buf[:n], done && !trailer); err != nil {
			return false, err
		}
		c.written += int64(n)
	}
	if trailer {
		return true, c.to.writeTrailer(*c.trailer)
	}
	if n == len(c.buf) && c.large == nil {
		c.large = largeBuffers.Get().(*[largeSteps]byte) //nolint:errcheck,forcetypeassert // The pool holds nothing else.
		c.buf = c.large[:]
	}
	return done, nil
}

// begin appends the head whose first content follows at once, and leaves it to
// that to have it written.
func (c *copying) begin() error {
	if c.head == nil {
		return nil
	}
	l := c.to.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := c.to.allowance(0); err != nil {
		return err
	}
	c.to.serving.appendHead(*c.head)
	c.head = nil
	return nil
}

// ended tells whether the body is at its end, which for one of known length is
// its length and nothing else.
func (c *copying) ended(err error) (bool, error) {
	switch {
	case c.length >= 0 && c.sent > c.length:
		return false, errLongContent
	case c.length >= 0 && c.sent == c.length && c.trailer == nil && (err == nil || err == io.EOF): //nolint:errorlint // It is never wrapped.
		return true, nil
	case err == nil:
		return false, nil
	case err == io.EOF && (c.length < 0 || c.sent == c.length): //nolint:errorlint // It is never wrapped.
		return true, nil
	case err == io.EOF: //nolint:errorlint // It is never wrapped.
		return false, io.ErrUnexpectedEOF
	default:
		return false, err
	}
}

// writeTrailer ends a message with fields.
func (s *stream) writeTrailer(trailer exchange.Header) error {
	if !writable(trailer) {
		return errUnwritable
	}
	l := s.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := s.allowance(0); err != nil {
		return err
	}
	l.out.buf = l.appendTrailer(l.out.room(), s.id, trailer)
	s.endLocal()
	l.kick()
	return nil
}
