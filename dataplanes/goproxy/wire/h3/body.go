package h3

import (
	"errors"
	"io"
	"net/http"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
)

// requestBody reads a body up to the limit, and fills the trailer at its end.
type requestBody struct {
	from    *http.Request
	trailer *exchange.Header
	// stall is nil where a client may be silent.
	stall *stall
	// ahead was read already.
	ahead []byte
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
	if err == io.EOF && b.trailer != nil { //nolint:errorlint // A reader's io.EOF is never wrapped.
		*b.trailer = allowedTrailers(b.from.Trailer)
	}
	return n, err
}

func (b *requestBody) read(p []byte) (int, error) {
	if len(b.ahead) > 0 {
		n := copy(p, b.ahead)
		b.ahead = b.ahead[n:]
		return n, nil
	}
	if b.stall != nil {
		b.stall.begin(&b.stall.reads)
	}
	n, err := b.from.Body.Read(p)
	if b.stall != nil && b.stall.done(&b.stall.reads) && err != nil {
		err = exchange.ErrStalled
	}
	return n, err
}

// peek waits for the first octet, and says whether there is none.
func (b *requestBody) peek() (empty bool, err error) {
	var first [1]byte
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
