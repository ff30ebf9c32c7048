package upstream

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/guard"
	"github.com/sluice-gateway/sluice/ir"
)

// Pool is one backend's endpoints and the connections to them.
type Pool struct {
	backend     *ir.Backend
	certificate *ir.Certificate
	tls         *tls.Config
	id          func(ir.EndpointsKey, ir.Endpoint) ID
	// invalid is why no request may be sent.
	invalid error
	connect atomic.Int64
	tapes   *Tapes
	idle    *guard.Budget
	turn    atomic.Uint64
	roster  atomic.Pointer[roster]
}

// roster is the endpoints of one moment. It never changes.
type roster struct {
	// source is what it was made of.
	source *ir.Endpoints
	// live come before those that drain.
	live, draining []*endpoint
	byAddr         map[netip.AddrPort]*endpoint
	byID           map[ID]*endpoint
}

func newPool(b *ir.Backend, in *Input) *Pool {
	p := &Pool{backend: b, certificate: in.certificate(b), id: in.ID, tapes: in.Tapes, idle: in.Idle}
	p.tls, p.invalid = clientTLS(b, p.certificate)
	p.roster.Store(&roster{})
	return p
}

// swap puts other endpoints in force. Those that stay keep their connections.
func (p *Pool) swap(source *ir.Endpoints) {
	old := p.roster.Load()
	if source != nil && old.source == source {
		return
	}
	next := &roster{source: source, byAddr: map[netip.AddrPort]*endpoint{}, byID: map[ID]*endpoint{}}
	if source != nil {
		for _, e := range source.Endpoints {
			p.enrol(next, old.byAddr, e)
		}
	}
	p.roster.Store(next)
	for addr, e := range old.byAddr {
		if next.byAddr[addr] != e {
			e.retire()
		}
	}
}

// enrol adds an endpoint, with the connections that it had before. An address
// that is none is left out: it cannot be reached.
func (p *Pool) enrol(next *roster, old map[netip.AddrPort]*endpoint, about ir.Endpoint) {
	ip, err := netip.ParseAddr(about.Address)
	if err != nil {
		return
	}
	addr := netip.AddrPortFrom(ip, about.Port)
	e := old[addr]
	if e == nil {
		e = p.newEndpoint(addr, p.id(p.backend.Key.EndpointsKey, about))
	}
	next.byAddr[addr], next.byID[e.id] = e, e
	if about.Draining {
		next.draining = append(next.draining, e)
		return
	}
	next.live = append(next.live, e)
}

func (p *Pool) retire() {
	for _, e := range p.roster.Load().byAddr {
		e.retire()
	}
}

// pick returns the next endpoint in turn that was not tried yet, one that
// drains only if no other is left, and nil where all were tried.
func (p *Pool) pick(pinned ID, tried []*endpoint) *endpoint {
	r := p.roster.Load()
	if e := r.byID[pinned]; e != nil && !slices.Contains(tried, e) {
		return e
	}
	turn := p.turn.Add(1) - 1
	if e := next(r.live, turn, tried); e != nil {
		return e
	}
	return next(r.draining, turn, tried)
}

func next(from []*endpoint, turn uint64, tried []*endpoint) *endpoint {
	n := uint64(len(from))
	for i := range n {
		if e := from[(turn+i)%n]; !slices.Contains(tried, e) {
			return e
		}
	}
	return nil
}
