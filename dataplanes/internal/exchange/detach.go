package exchange

import (
	"io"
	"strings"
)

// Detach returns a copy of a request that shares no octet with the buffer it was
// read into, for what outlives its exchange. Body, Trailer, Words and
// Interim are left out.
func (r *Request) Detach() *Request {
	c := *r
	for _, s := range []*string{&c.Method, &c.Authority, &c.Host, &c.Path, &c.Query, &c.Upgrade} {
		*s = strings.Clone(*s)
	}
	c.Header = r.Header.Clone()
	c.Body, c.Trailer, c.Words, c.Interim = NoBody{}, nil, nil, nil
	return &c
}

// NoBody is the body of a message without content.
type NoBody struct{}

var _ io.ReadCloser = NoBody{}

// Read is at the end.
func (NoBody) Read([]byte) (int, error) { return 0, io.EOF }

// Close does nothing.
func (NoBody) Close() error { return nil }
