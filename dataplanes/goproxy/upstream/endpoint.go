package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/wire/h1"
	"github.com/sluice-gateway/sluice/ir"
)

// ID names an endpoint in a session token.
type ID [16]byte

// endpoint is one address and the connections to it.
type endpoint struct {
	addr netip.AddrPort
	// name is the address for logs.
	name string
	id   ID
	// one has the connections of HTTP/1.1; else transport has those of HTTP/2.
	one       *h1.Pool
	transport *http.Transport
	active    atomic.Int64
	health    health
	retired   atomic.Bool
	// released is release, made once.
	released func()
}

// streamBuffer bounds what is read of a response of HTTP/2 ahead of its client.
const streamBuffer = 256 << 10

const (
	mostIdle = 1024
	// idleTimeout is shorter than what servers commonly allow, so that a request
	// seldom meets a connection that its server is about to close.
	idleTimeout = 30 * time.Second
)

// newEndpoint returns an endpoint without connections. Each has its own, so that
// taking one away closes what leads to it and nothing else.
func (p *Pool) newEndpoint(addr netip.AddrPort, id ID) *endpoint {
	e := &endpoint{addr: addr, name: addr.String(), id: id}
	e.released = e.release
	switch p.backend.Key.Protocol {
	case ir.BackendH2C, ir.BackendH2:
		e.transport = p.newTransport()
	default:
		e.one = p.newHTTP1(addr)
	}
	return e
}

// newTransport returns the connections of HTTP/2 with one address.
func (p *Pool) newTransport() *http.Transport {
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(p.backend.Key.Protocol == ir.BackendH2C)
	protocols.SetHTTP2(p.backend.Key.Protocol == ir.BackendH2)
	return &http.Transport{
		DialContext:         p.dial,
		TLSClientConfig:     p.cloneTLS(),
		TLSHandshakeTimeout: handshakeTimeout,
		DisableCompression:  true,
		MaxIdleConnsPerHost: mostIdle,
		IdleConnTimeout:     idleTimeout,

		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: mostHeader,
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
	e.closeIdle()
}

func (e *endpoint) closeIdle() {
	if e.one != nil {
		e.one.Close()
		return
	}
	e.transport.CloseIdleConnections()
}

func (e *endpoint) acquire() { e.active.Add(1) }

func (e *endpoint) release() {
	if e.active.Add(-1) == 0 && e.retired.Load() {
		e.closeIdle()
	}
}
