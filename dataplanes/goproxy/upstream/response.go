package upstream

import (
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
)

var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length",
}

// incoming turns a backend's answer into an exchange. Done is called when
// nothing more will be read of it.
func incoming(from *http.Response, done func()) *exchange.Response {
	to := &exchange.Response{Status: from.StatusCode, Header: endToEnd(from.Header), Length: from.ContentLength}
	if from.ContentLength == 0 {
		// What carries no body may still carry a status of gRPC: it is sent as one
		// frame only if there is no body to wait for.
		from.Body.Close()
		done()
		to.Body = nil
		return to
	}
	to.Trailer = &exchange.Header{}
	to.Body = &responseBody{from: from, trailer: to.Trailer, done: done}
	return to
}

func endToEnd(h http.Header) exchange.Header {
	var named []string
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			named = append(named, textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)))
		}
	}
	fields := make(exchange.Header, 0, len(h)+4)
	for name, values := range h {
		if slices.Contains(hopByHop, name) || slices.Contains(named, name) {
			continue
		}
		for _, v := range values {
			fields = append(fields, exchange.Field{Name: name, Value: v})
		}
	}
	return fields
}

// responseBody fills the trailer at the body's end.
type responseBody struct {
	from    *http.Response
	trailer *exchange.Header
	done    func()
}

var _ io.ReadCloser = (*responseBody)(nil)

func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.from.Body.Read(p)
	if errors.Is(err, io.EOF) && len(*b.trailer) == 0 {
		for name, values := range b.from.Trailer {
			for _, v := range values {
				b.trailer.Add(name, v)
			}
		}
	}
	return n, err
}

// Close gives the endpoint back.
func (b *responseBody) Close() error {
	err := b.from.Body.Close()
	b.done()
	return err
}
