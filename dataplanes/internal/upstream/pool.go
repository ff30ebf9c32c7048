package upstream

import (
	"crypto/tls"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
	"github.com/sluice-gateway/sluice/ir"
)

// Pool is one backend's endpoints and the connections to them.
type Pool struct {
	backend     *ir.Backend
	certificate *ir.Certificate
	tls         *tls.Config
	id          func(ir.EndpointsKey, ir.Endpoint) ID
	naming      any
	place       Place
	watcher     Watcher
	// invalid is why no request may be sent.
	invalid error
	connect atomic.Int64
	dialer  Dial
	tapes   *Tapes
	idle    *guard.Budget
	turn    atomic.Uint64
	// due is when the first of the ejected endpoints may be tried, by clock.
	due atomic.Int64

	// mu is held to replace the roster, and for the health of its endpoints.
	mu      sync.Mutex
	roster  atomic.Pointer[roster]
	retired bool

	// made is when the pool was; now and random are the world's, or a test's.
	made   time.Time
	now    func() time.Time
	random func() uint64
}

// policy is what a backend says of choosing among its endpoints. It may change
// without a new pool.
type policy struct {
	balancing ir.Balancing
	ejection  *ir.Ejection
}

func policyOf(b *ir.Backend) policy { return policy{b.Balancing, b.Ejection} }

// roster is the endpoints of one moment. It never changes.
type roster struct {
	// source and policy are what it was made of.
	source *ir.Endpoints
	policy policy
	// tiers hold every endpoint, open those that are not ejected, and out those
	// that are.
	tiers, open [tiers][]*endpoint
	out         []*endpoint
	// probes is how many of out may be tried when their time is over: those that
	// drain only where there are no others.
	probes int
	byAddr map[netip.AddrPort]*endpoint
	byID   map[ID]*endpoint
	// slots are those of a consistent hash; nil for other algorithms.
	slots *slotTable
}

func newPool(b *ir.Backend, in *Input) *Pool {
	p := &Pool{
		backend: b, certificate: in.certificate(b), id: in.ID, naming: in.Naming, place: in.Place, watcher: in.Watcher,
		tapes: in.Tapes, idle: in.Idle, dialer: in.Dial, made: time.Now(), now: time.Now, random: rand.Uint64,
	}
	p.tls, p.invalid = clientTLS(b, p.certificate)
	p.roster.Store(&roster{policy: policyOf(b)})
	return p
}

// swap puts other endpoints in force. Those that stay keep their connections,
// and stay ejected.
func (p *Pool) swap(source *ir.Endpoints, rules policy) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.roster.Load()
	if source != nil && old.source == source && reflect.DeepEqual(old.policy, rules) {
		return
	}
	next := &roster{source: source, policy: rules, byAddr: map[netip.AddrPort]*endpoint{}, byID: map[ID]*endpoint{}}
	if source != nil {
		meant := p.place.Preference(source.Endpoints)
		for _, e := range source.Endpoints {
			p.enrol(next, old.byAddr, e, meant.Tier(&e))
		}
	}
	if rules.balancing.Algorithm == ir.ConsistentHash {
		next.slots = old.slots.with(next.first())
	}
	p.settle(next)
	for addr, e := range old.byAddr {
		if next.byAddr[addr] != e {
			p.readmit(e)
			e.retire()
		}
	}
}

// enrol adds an endpoint, with the connections that it had before. An address
// that is none is left out: it cannot be reached.
func (p *Pool) enrol(next *roster, old map[netip.AddrPort]*endpoint, about ir.Endpoint, in tier) {
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
	next.tiers[in] = append(next.tiers[in], e)
}

func (p *Pool) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired = true
	for _, e := range p.roster.Load().byAddr {
		p.readmit(e)
		e.retire()
	}
	p.resettle()
}
