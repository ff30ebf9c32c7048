package upstream

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
)

// try sends the request to one endpoint.
func (t *tries) try(ctx context.Context, e *endpoint) (*exchange.Response, *Error) {
	if e.one != nil {
		return t.exchange(ctx, e)
	}
	return t.roundTrip(ctx, e)
}

// roundTrip sends the request to one endpoint over HTTP/2. Its strings are
// cloned, as net/http may be writing them still when the exchange is over.
func (t *tries) roundTrip(ctx context.Context, e *endpoint) (*exchange.Response, *Error) {
	t.held = true
	tctx, cancel := t.bound(ctx)
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(tctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	e.acquire()
	done := sync.OnceFunc(func() {
		cancel()
		e.release()
	})
	request, err := t.request(traced, e)
	if err != nil {
		done()
		return nil, t.fail(BodyTooLarge, err)
	}
	response, err := e.transport.RoundTrip(request) //nolint:bodyclose // incoming hands it on.
	if err != nil {
		verdict := t.classify(ctx, pastDeadline(tctx, err), connected.Load())
		done()
		return nil, verdict
	}
	return incoming(response, done), nil
}

func (t *tries) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if until := t.until(time.Now()); !until.IsZero() {
		return context.WithDeadline(ctx, until)
	}
	return context.WithCancel(ctx)
}

// pastDeadline names the time-out that a transport's own error may hide. The
// time-out of a dial is shorter than ours and remains a failed connection.
func pastDeadline(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.Join(context.DeadlineExceeded, err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New(err.Error())
	}
	return err
}

// request writes the exchange as net/http's client wants it.
func (t *tries) request(ctx context.Context, e *endpoint) (*http.Request, error) {
	in := t.call.Request.Detach()
	in.Trailer = t.call.Request.Trailer
	out := (&http.Request{
		Method: in.Method, URL: t.url(in, e), Host: in.Authority, Header: header(in),
		ContentLength: in.Length, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	if t.tape == nil {
		return out, nil
	}
	out.Trailer = maps.Clone(t.trailer)
	out.GetBody = func() (io.ReadCloser, error) {
		player, err := t.tape.play()
		if err != nil {
			return nil, err
		}
		return &requestBody{ReadCloser: player, from: in.Trailer, to: out.Trailer}, nil
	}
	var err error
	out.Body, err = out.GetBody()
	return out, err
}

// url keeps the path as it is written. Opaque is net/http's way to say so, but
// takes what begins with two slashes for a host.
func (t *tries) url(in *exchange.Request, e *endpoint) *url.URL {
	u := &url.URL{Scheme: "http", Host: e.addr.String(), RawQuery: in.Query, ForceQuery: in.HasQuery}
	if t.pool.tls != nil {
		u.Scheme = "https"
	}
	if !strings.HasPrefix(in.Path, "//") {
		u.Opaque = in.Path
		return u
	}
	u.Path, u.RawPath = in.Path, in.Path
	if path, err := url.PathUnescape(in.Path); err == nil {
		u.Path = path
	}
	return u
}

func header(in *exchange.Request) http.Header {
	h := make(http.Header, len(in.Header)+2)
	for _, f := range in.Header {
		h.Add(f.Name, f.Value)
	}
	if _, named := h["User-Agent"]; !named {
		// Nil keeps net/http from adding its own.
		h["User-Agent"] = nil
	}
	return h
}

func trailerNames(trailer *exchange.Header) http.Header {
	if trailer == nil || len(*trailer) == 0 {
		return nil
	}
	names := http.Header{}
	for _, f := range *trailer {
		// A name that is canonical already would stay where it was read, and net/http
		// may be writing when that has been given back.
		names[strings.Clone(http.CanonicalHeaderKey(f.Name))] = nil
	}
	return names
}

// requestBody hands the client's trailers on at the end of the body.
type requestBody struct {
	io.ReadCloser
	from *exchange.Header
	to   http.Header
}

func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) && b.from != nil && b.to != nil {
		for _, f := range *b.from {
			b.to.Add(f.Name, f.Value)
		}
		b.from = nil
	}
	return n, err
}
