package upstream

import (
	"context"
	"net"
	"reflect"

	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
	"github.com/sluice-gateway/sluice/ir"
)

// Pools are the pools of one generation of a unit. They never change: a request
// that holds them finds what its table names, whatever comes after.
type Pools struct {
	byKey map[ir.BackendKey]*Pool
}

// Dial opens a connection to an endpoint's address.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Input is what a generation's pools are made of.
type Input struct {
	Backends     []*ir.Backend
	Certificates map[ir.CertificateKey]*ir.Certificate
	Endpoints    []*ir.Endpoints
	Connect      ir.Duration
	// Dial opens the connections to all endpoints; nil is TCP.
	Dial Dial
	// Place is where this proxy runs.
	Place Place
	// Watcher may be nil.
	Watcher Watcher
	// Tapes and Idle are the same for all generations; nil for no bound.
	Tapes *Tapes
	Idle  *guard.Budget
	// ID names endpoints for session tokens.
	ID func(ir.EndpointsKey, ir.Endpoint) ID
	// Naming is equal while ID names alike. Pools of another naming are not taken
	// over, as their endpoints have other names.
	Naming any
}

// Next returns the pools of the next generation. A backend whose definition is
// the same, but for how endpoints are chosen, keeps its pool, connections
// included; with last nil, all are new.
// Endpoints are in force at once, for both generations. Call Retire on the last
// one when the new one is in use.
func Next(last *Pools, in Input) *Pools {
	endpoints := map[ir.EndpointsKey]*ir.Endpoints{}
	for _, e := range in.Endpoints {
		endpoints[e.Key] = e
	}
	pools := &Pools{byKey: make(map[ir.BackendKey]*Pool, len(in.Backends))}
	for _, b := range in.Backends {
		pool := last.same(b, &in)
		if pool == nil {
			pool = newPool(b, &in)
		}
		pool.connect.Store(int64(in.Connect))
		pool.swap(endpoints[b.Key.EndpointsKey], policyOf(b))
		pools.byKey[b.Key] = pool
	}
	return pools
}

func (in *Input) certificate(b *ir.Backend) *ir.Certificate {
	if b.TLS == nil || b.TLS.ClientCertificate == nil {
		return nil
	}
	return in.Certificates[*b.TLS.ClientCertificate]
}

func (p *Pools) same(b *ir.Backend, in *Input) *Pool {
	if p == nil {
		return nil
	}
	pool := p.byKey[b.Key]
	if pool == nil || pool.naming != in.Naming || !sameConnections(pool.backend, b) || !reflect.DeepEqual(pool.certificate, in.certificate(b)) {
		return nil
	}
	return pool
}

// sameConnections says whether two definitions of a backend differ at most in how
// its endpoints are chosen.
func sameConnections(a, b *ir.Backend) bool {
	return a.Key == b.Key && reflect.DeepEqual(a.TLS, b.TLS)
}

// Retire closes, as they become idle, the connections of pools that next has
// not kept. With next nil it closes all.
func (p *Pools) Retire(next *Pools) {
	if p == nil {
		return
	}
	for key, pool := range p.byKey {
		if next == nil || next.byKey[key] != pool {
			pool.retire()
		}
	}
}

// Has says whether a session's endpoint is still one of a backend's.
func (p *Pools) Has(key ir.BackendKey, id ID) bool {
	pool := p.byKey[key]
	return pool != nil && pool.roster.Load().byID[id] != nil
}
