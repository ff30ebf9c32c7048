package upstream

import (
	"crypto/tls"
	"net/netip"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// ID names an endpoint in a session token.
type ID [16]byte

// endpoint is one address and the connections to it.
type endpoint struct {
	addr netip.AddrPort
	// name is the address for logs.
	name string
	id   ID
	// backend has the connections. Each endpoint has its own, so that taking one away
	// closes what leads to it and nothing else.
	backend exchange.Backend
	active  atomic.Int64
	health  health
	// lasting counts connections that are being made for nobody any more.
	lasting atomic.Int32
	retired atomic.Bool
	// released is release, made once.
	released func()
}

// newEndpoint returns an endpoint without connections.
func (p *Pool) newEndpoint(addr netip.AddrPort, id ID) *endpoint {
	e := &endpoint{addr: addr, name: addr.String(), id: id}
	e.backend = p.newBackend(e)
	e.released = e.release
	return e
}

func (p *Pool) cloneTLS() *tls.Config {
	if p.tls == nil {
		return nil
	}
	return p.tls.Clone()
}

// retire closes the connections as they become idle. An endpoint that was
// retired still serves those who hold it.
func (e *endpoint) retire() {
	e.retired.Store(true)
	e.backend.Close()
}

func (e *endpoint) acquire() { e.active.Add(1) }

func (e *endpoint) release() {
	if e.active.Add(-1) == 0 && e.retired.Load() {
		e.backend.Close()
	}
}
