package h3

import (
	"errors"
	"io"
	"net/http"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

var errTrailers = errors.New("the trailer is over the limits")

// requestBody reads a body up to the limit, and fills the trailer at its end.
type requestBody struct {
	from    *http.Request
	trailer *exchange.Header
	// stall is nil where a client may be silent.
	stall *stall
	// expects is asked for the body before it is read; nil where the client sends it
	// by itself.
	expects *interim
	// ahead was read already.
	ahead []byte
	// bound is what the trailer may be.
	bound headerSize
	// left is -1 for no bound.
	left int64
}

var _ io.ReadCloser = (*requestBody)(nil)

// Read reads the body, at most one byte past its limit.
func (b *requestBody) Read(p []byte) (int, error) {
	if b.left >= 0 && int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.read(p)
	if b.left >= 0 {
		if int64(n) > b.left {
			n = int(b.left)
			b.left = 0
			return n, exchange.ErrBodyTooLarge
		}
		b.left -= int64(n)
	}
	if err == io.EOF { //nolint:errorlint // A reader's io.EOF is never wrapped.
		err = b.trail()
	}
	return n, err
}

// trail takes the trailer in, and returns io.EOF if that may be.
func (b *requestBody) trail() error {
	if !b.bound.holds(b.from.Trailer) {
		return errTrailers
	}
	if b.trailer != nil {
		*b.trailer = allowedTrailers(b.from.Trailer)
	}
	return io.EOF
}

func (b *requestBody) read(p []byte) (int, error) {
	if len(b.ahead) > 0 {
		n := copy(p, b.ahead)
		b.ahead = b.ahead[n:]
		return n, nil
	}
	b.ask()
	if b.stall != nil {
		b.stall.begin(&b.stall.reads)
	}
	n, err := b.from.Body.Read(p)
	if b.stall != nil && b.stall.done(&b.stall.reads, n) && !errors.Is(err, io.EOF) {
		return 0, exchange.ErrStalled
	}
	return n, err
}

func (b *requestBody) ask() {
	if b.expects != nil {
		b.expects.ask()
		b.expects = nil
	}
}

// peek waits for the first octet, and says whether there is none.
func (b *requestBody) peek() (empty bool, err error) {
	var first [1]byte
	b.ask()
	for {
		n, err := b.from.Body.Read(first[:])
		switch {
		case n > 0:
			b.ahead = first[:]
			return false, nil
		case errors.Is(err, io.EOF):
			return true, nil
		case err != nil:
			return false, err
		}
	}
}

// Close closes the body.
func (b *requestBody) Close() error { return b.from.Body.Close() }
