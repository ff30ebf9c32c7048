package exchange

import (
	"errors"
	"io"
	"time"
)

// Vouch says that what a request says under a name is the proxy's word from now
// on: other spellings of the name are removed (DelDisguised), and no trailer of
// that name is handed on, as there are backends that take trailers for headers
// (RFC 9110, section 6.5.1).
func (r *Request) Vouch(name string) {
	r.Header.DelDisguised(name)
	if r.Trailer != nil {
		r.vouched = append(r.vouched, name)
	}
}

// Strained returns the request without the trailers that Vouch forbids: itself
// where there can be none, else a copy that reads the same body.
func (r *Request) Strained() *Request {
	if len(r.vouched) == 0 || r.Trailer == nil {
		return r
	}
	c := *r
	body := &strained{ReadCloser: r.Body, request: r}
	body.take()
	c.Body, c.Trailer, c.vouched = body, &body.trailer, nil
	return &c
}

// strained is a body whose trailer lacks what was vouched for.
type strained struct {
	io.ReadCloser
	request *Request
	trailer Header
}

var _ Gatherer = (*strained)(nil)

// Read reads the body; with its end comes the trailer.
func (s *strained) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		s.take()
	}
	return n, err
}

func (s *strained) take() {
	s.trailer = append(s.trailer[:0], *s.request.Trailer...)
	for _, name := range s.request.vouched {
		s.trailer.DelDisguised(name)
		s.trailer.Del(name)
	}
}

// Whole is the body's; what has a trailer is never whole.
func (s *strained) Whole() ([]byte, bool) { return s.request.Whole() }

// Gather is the body's.
func (s *strained) Gather(until time.Time) error {
	if body, ok := s.ReadCloser.(Gatherer); ok {
		return body.Gather(until)
	}
	return nil
}
