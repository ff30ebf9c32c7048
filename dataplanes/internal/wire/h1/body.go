package h1

import (
	"errors"
	"io"
	"os"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// content reads the content of one message off a stream.
type content struct {
	s       *stream
	framing Framing
	// left is what is left of a Sized body.
	left    int64
	chunks  chunks
	limit   int64
	read    int64
	strict  bool
	trailer exchange.Header
	err     error
}

// contentInput is what content depends on.
type contentInput struct {
	stream  *stream
	framing Framing
	length  int64
	limits  *Limits
	request bool
}

func (c *content) reset(in contentInput) {
	*c = content{
		s: in.stream, framing: in.framing, left: in.length, strict: in.request,
		chunks: chunks{limits: in.limits, trailer: c.chunks.trailer[:0]},
	}
	if in.request {
		c.limit = in.limits.BodyBytes
	}
	if in.framing == NoBody {
		c.err = io.EOF
	}
}

// done reports whether the content was read to its end, so that what follows is
// another message.
func (c *content) done() bool { return errors.Is(c.err, io.EOF) }

// read returns io.EOF together with the last octets where it can.
func (c *content) readInto(p []byte) (int, error) {
	if c.err != nil || len(p) == 0 {
		return 0, c.err
	}
	n, err := c.step(p)
	c.read += int64(n)
	if c.limit > 0 && c.read > c.limit {
		err = exchange.ErrBodyTooLarge
	}
	c.err = c.explain(err)
	return n, c.err
}

func (c *content) step(p []byte) (int, error) {
	switch c.framing {
	case Sized:
		return c.sized(p)
	case Chunked:
		return c.chunked(p)
	default:
		return c.untilClose(p)
	}
}

// explain tells apart why a body broke off. A body that ends early is never
// io.EOF.
func (c *content) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF) && c.ended():
		return io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded) && c.strict:
		return exchange.ErrStalled
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errBackendTimeout
	case errors.Is(err, io.EOF) && c.strict:
		return errTruncated
	case errors.Is(err, io.EOF):
		return inResponse(errTruncated)
	case !c.strict:
		return inResponse(err)
	default:
		return err
	}
}

func (c *content) ended() bool {
	switch c.framing {
	case Sized:
		return c.left == 0
	case Chunked:
		return c.chunks.place == atEnd
	default:
		return true
	}
}

// some takes content of at most n octets: what is buffered, else straight from
// the connection, so that large bodies are not copied twice.
func (c *content) some(p []byte, n int64) (int, error) {
	if int64(len(p)) > n {
		p = p[:n]
	}
	// What follows a short chunk comes with it.
	if len(c.s.buffered()) == 0 && c.framing == Chunked && len(p) < bufferSize/4 {
		if err := c.s.fill(); err != nil {
			return 0, err
		}
	}
	if b := c.s.buffered(); len(b) > 0 {
		k := copy(p, b)
		c.s.take(k)
		return k, nil
	}
	k, err := c.s.from.Read(p)
	if k > 0 {
		err = nil
	}
	return k, err
}

func (c *content) sized(p []byte) (int, error) {
	n, err := c.some(p, c.left)
	if c.left -= int64(n); c.left == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

const noEnd = 1<<63 - 1

func (c *content) untilClose(p []byte) (int, error) { return c.some(p, noEnd) }

// chunked fills p with what is there, over the bounds of chunks.
func (c *content) chunked(p []byte) (n int, err error) {
	for {
		if err = c.framingAhead(n > 0); err != nil || c.chunks.place != inContent || n == len(p) {
			return n, err
		}
		if n > 0 && len(c.s.buffered()) == 0 {
			return n, nil
		}
		k, err := c.some(p[n:], c.chunks.left)
		c.chunks.consumed(k)
		n += k
		if err != nil {
			return n, err
		}
	}
}

// framingAhead reads up to content or to the end, which is io.EOF. It reads
// from the connection only where nothing can be handed out yet.
func (c *content) framingAhead(enough bool) error {
	for {
		used, err := c.chunks.advance(c.s.buffered())
		c.s.take(used)
		if err != nil {
			return err
		}
		switch c.chunks.place {
		case inContent:
			return nil
		case atEnd:
			return c.finish()
		}
		if enough {
			return nil
		}
		if err = c.s.fill(); err != nil {
			return err
		}
	}
}

func (c *content) finish() error {
	header, err := c.chunks.fields()
	if err != nil {
		return err
	}
	c.trailer = header
	return io.EOF
}

// whole returns the rest of a sized body, if all of it is buffered.
func (c *content) whole() ([]byte, bool) {
	if c.framing != Sized || c.err != nil {
		return nil, c.done()
	}
	b := c.s.buffered()
	if int64(len(b)) < c.left {
		return nil, false
	}
	return b[:c.left], true
}

// skip moves over the rest of the content, if all of it is buffered.
func (c *content) skip() {
	if b, ok := c.whole(); ok && !c.done() {
		c.s.take(len(b))
		c.left, c.err = 0, io.EOF
	}
}
