package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/h1"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/h2"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
	"github.com/sluice-gateway/sluice/ir"
)

const (
	mostIdle = 1024
	// idleTimeout is shorter than what servers commonly allow, so that a request
	// seldom meets a connection that its server is about to close.
	idleTimeout      = 30 * time.Second
	handshakeTimeout = 10 * time.Second
	// mostHeader bounds a response's header, in bytes, mostFields its fields.
	mostHeader = 1 << 20
	mostFields = 1000
	// silence is how long a backend of HTTP/2 that has requests may say nothing until
	// it is asked whether it lives, and then how long it has for the answer.
	silence = 10 * time.Second
	// streamBuffer bounds what is read of a response of HTTP/2 ahead of its client.
	streamBuffer = 256 << 10
)

// newBackend returns the connections with an endpoint.
func (p *Pool) newBackend(e *endpoint) exchange.Backend {
	address, alpn := e.name, p.alpn()
	switch p.backend.Key.Protocol {
	case ir.BackendH2, ir.BackendH2C:
	default:
		return &h1.Pool{
			Dial:    func(ctx context.Context) (net.Conn, error) { return p.connectFor(ctx, e) },
			Limits:  h1.Limits{HeadBytes: mostHeader, Fields: mostFields, NameBytes: mostHeader},
			MaxIdle: mostIdle, IdleTimeout: idleTimeout, Places: p.idle,
		}
	}
	return &h2.Pool{
		Dial:        func(ctx context.Context) (net.Conn, error) { return p.connectTo(ctx, address, alpn) },
		TLS:         p.tls != nil,
		Limits:      h2.Limits{HeadBytes: mostHeader, Fields: mostFields, NameBytes: mostHeader, StreamWindow: streamBuffer},
		IdleTimeout: idleTimeout, Ping: silence,
	}
}

// alpn is what the backend must agree on; empty for nothing.
func (p *Pool) alpn() string {
	if p.backend.Key.Protocol == ir.BackendH2 {
		return "h2"
	}
	return ""
}

// connectTo opens a connection, over TLS where the backend asks for it.
func (p *Pool) connectTo(ctx context.Context, address, alpn string) (net.Conn, error) {
	c, err := p.dial(ctx, "tcp", address)
	if err != nil || p.tls == nil {
		return c, err
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	secure := tls.Client(rawconn.New(c), p.tlsFor(address, alpn))
	if err := secure.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	if got := secure.ConnectionState().NegotiatedProtocol; got != alpn {
		c.Close()
		return nil, fmt.Errorf("the backend has agreed on %q by ALPN, want %q", got, alpn)
	}
	return secure, nil
}

// tlsFor completes what is the same for all addresses.
func (p *Pool) tlsFor(address, alpn string) *tls.Config {
	if p.tls.ServerName != "" && alpn == "" {
		return p.tls
	}
	config := p.tls.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	if alpn != "" {
		config.NextProtos = []string{alpn}
	}
	return config
}

func (p *Pool) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if timeout := time.Duration(p.connect.Load()); timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	if p.dialer != nil {
		return p.dialer(ctx, network, addr)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

// OutOfTime reports whether a response broke off because its time was over.
func OutOfTime(err error) bool {
	var why exchange.Refusal
	return errors.As(err, &why) && why.StatusCode() == gatewayTimeout
}
