package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// ID names an endpoint in a session token.
type ID [16]byte

// endpoint is one address and the connections to it.
type endpoint struct {
	addr      netip.AddrPort
	id        ID
	transport *http.Transport
	active    atomic.Int64
	retired   atomic.Bool
}

// streamBuffer bounds what is read of a response of HTTP/2 ahead of its client.
const streamBuffer = 256 << 10

// transport returns connections of one kind to one address. Each endpoint has
// its own, so that taking one away closes what leads to it and nothing else.
func (p *Pool) newTransport() *http.Transport {
	const megabyte = 1 << 20
	protocols := &http.Protocols{}
	switch p.backend.Key.Protocol {
	case ir.BackendH2C:
		protocols.SetUnencryptedHTTP2(true)
	case ir.BackendH2:
		protocols.SetHTTP2(true)
	default:
		protocols.SetHTTP1(true)
	}
	return &http.Transport{
		DialContext:         p.dial,
		TLSClientConfig:     p.cloneTLS(),
		TLSHandshakeTimeout: 10 * time.Second,
		DisableCompression:  true,
		MaxIdleConnsPerHost: 1024,
		// Shorter than what servers commonly allow, so that a request seldom
		// meets a connection that its server is about to close.
		IdleConnTimeout:        30 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: megabyte,
		Protocols:              protocols,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second,
			// What a client does not read is held here, up to this much a stream; the
			// connection's bound is net/http's, which is so wide that streams that
			// nobody reads do not stop the others.
			MaxReceiveBufferPerStream: streamBuffer,
		},
	}
}

func (p *Pool) cloneTLS() *tls.Config {
	if p.tls == nil {
		return nil
	}
	return p.tls.Clone()
}

func (p *Pool) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if timeout := time.Duration(p.connect.Load()); timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

// retire closes the connections as they become idle. An endpoint that was
// retired still serves those who hold it.
func (e *endpoint) retire() {
	e.retired.Store(true)
	e.transport.CloseIdleConnections()
}

func (e *endpoint) acquire() { e.active.Add(1) }

func (e *endpoint) release() {
	if e.active.Add(-1) == 0 && e.retired.Load() {
		e.transport.CloseIdleConnections()
	}
}
