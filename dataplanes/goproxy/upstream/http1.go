package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/wire/h1"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/wire/rawconn"
)

const (
	handshakeTimeout = 10 * time.Second
	// mostHeader bounds a response's header, in bytes, mostFields its fields.
	mostHeader = 1 << 20
	mostFields = 1000
)

// newHTTP1 returns the connections of HTTP/1.1 with one address.
func (p *Pool) newHTTP1(addr netip.AddrPort) *h1.Pool {
	address := addr.String()
	return &h1.Pool{
		Dial:    func(ctx context.Context) (net.Conn, error) { return p.openHTTP1(ctx, address) },
		Limits:  h1.Limits{HeadBytes: mostHeader, Fields: mostFields, NameBytes: mostHeader},
		MaxIdle: mostIdle, IdleTimeout: idleTimeout,
	}
}

// openHTTP1 opens a connection, over TLS where the backend asks for it.
func (p *Pool) openHTTP1(ctx context.Context, address string) (net.Conn, error) {
	c, err := p.dial(ctx, "tcp", address)
	if err != nil || p.tls == nil {
		return c, err
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	config := p.tls
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	secure := tls.Client(rawconn.New(c), config)
	if err := secure.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return secure, nil
}

// exchange sends the request to one endpoint over HTTP/1.1.
func (t *tries) exchange(ctx context.Context, e *endpoint) (*exchange.Response, *Error) {
	request := t.call.Request
	if t.tape != nil {
		player, err := t.tape.play()
		if err != nil {
			return nil, t.fail(BodyTooLarge, err)
		}
		replayed := *request
		replayed.Body = player
		request = &replayed
	}
	now := time.Now()
	until := t.until(now)
	e.acquire()
	response, err := e.one.Do(ctx, h1.Ask{
		Request: request, Now: now, Until: until, Once: t.call.Retry != nil, Ended: e.released,
	})
	if err != nil {
		e.release()
		return nil, t.explain(ctx, err, until)
	}
	return response, nil
}

// until is when a try that begins now must have ended; the zero time is never.
func (t *tries) until(now time.Time) time.Time {
	until := t.call.Deadline
	if perTry := t.call.PerTry; perTry > 0 {
		if end := now.Add(perTry); until.IsZero() || end.Before(until) {
			until = end
		}
	}
	return until
}

// explain says what a failed exchange of HTTP/1.1 means.
func (t *tries) explain(ctx context.Context, err error, until time.Time) *Error {
	var why *h1.Error
	isRefusal := errors.As(err, &why)
	switch {
	case errors.Is(err, exchange.ErrBodyTooLarge):
		return t.fail(BodyTooLarge, err)
	case errors.Is(err, exchange.ErrStalled):
		return t.fail(Stalled, err)
	case errors.Is(ctx.Err(), context.Canceled), isRefusal && why.Status < 500:
		return t.fail(ClientGone, err)
	case errors.Is(err, h1.ErrUnreachable) && !past(until):
		return t.fail(NoConnection, err)
	case ctx.Err() != nil, past(until), isRefusal && why.Status == http.StatusGatewayTimeout:
		return t.fail(Timeout, err)
	case errors.Is(err, rawconn.ErrStale):
		return t.fail(NoConnection, err)
	default:
		return t.fail(Broken, err)
	}
}

func past(until time.Time) bool { return !until.IsZero() && !time.Now().Before(until) }

// OutOfTime reports whether a response broke off because its time was over.
func OutOfTime(err error) bool {
	var why *h1.Error
	return errors.As(err, &why) && why.Status == http.StatusGatewayTimeout
}
