package exchange

import (
	"io"
	"strings"
)

// Detach returns a copy of a request that shares no octet with the buffer it was
// read into, for what outlives its exchange. Body, Trailer and Words are left
// out.
func (r *Request) Detach() *Request {
	c := *r
	for _, s := range []*string{&c.Method, &c.Authority, &c.Host, &c.Path, &c.Query, &c.Upgrade} {
		*s = strings.Clone(*s)
	}
	c.Header = r.Header.Clone()
	c.Body, c.Trailer, c.Words = noBody{}, nil, nil
	return &c
}

// noBody is the body of a message without content.
type noBody struct{}

var _ io.ReadCloser = noBody{}

func (noBody) Read([]byte) (int, error) { return 0, io.EOF }
func (noBody) Close() error             { return nil }
