package upstream

import (
	"slices"

	"github.com/sluice-gateway/sluice/ir"
)

// want is what a call asks of a choice.
type want struct {
	// pinned is the endpoint that a session names; zero for none.
	pinned ID
	// key is what a consistent hash goes by; 0 for none.
	key uint64
	// tried are endpoints that have failed the call.
	tried []*endpoint
}

// pick returns an endpoint that was not tried yet, and nil where all were. A
// session's endpoint goes first, unless it is ejected. Then come the tiers, and
// last, so that somebody is asked, those that are ejected.
//
// It neither allocates nor looks at more endpoints than were tried, however many
// there are and however many are ejected.
func (p *Pool) pick(w want) *endpoint {
	r := p.roster.Load()
	if w.pinned != (ID{}) {
		if e := r.byID[w.pinned]; e != nil && !e.health.out.Load() && !slices.Contains(w.tried, e) {
			return e
		}
	}
	if e := p.choose(r, w); e != nil {
		return e
	}
	turn := p.turn.Add(1) - 1
	for _, list := range r.open {
		if e := next(list, turn, w.tried); e != nil {
			return e
		}
	}
	return next(r.out, turn, w.tried)
}

// choose asks the algorithm; nil where it leaves the choice to whose turn it is.
func (p *Pool) choose(r *roster, w want) *endpoint {
	algorithm := r.policy.balancing.Algorithm
	if algorithm == ir.ConsistentHash && w.key != 0 && r.slots != nil {
		return p.chooseByKey(r, w)
	}
	if len(r.out) > 0 {
		// Only without a key: it would lead one elsewhere.
		if e := p.probe(r, w.tried); e != nil {
			return e
		}
	}
	if algorithm == ir.LeastRequest {
		return p.chooseOfTwo(r.open[r.level()], w.tried)
	}
	return nil
}

// chooseOfTwo returns the less busy of two endpoints chosen at random: as good as
// looking at all, and no herd runs after the one that has just become idle.
func (p *Pool) chooseOfTwo(list []*endpoint, tried []*endpoint) *endpoint {
	n := uint64(len(list))
	if n < 2 {
		return nil
	}
	x := p.random()
	i := (x >> 32) * n >> 32
	j := (x & (1<<32 - 1)) * (n - 1) >> 32
	if j >= i {
		j++
	}
	a, b := list[i], list[j]
	if len(tried) > 0 {
		if slices.Contains(tried, a) {
			a = b
		}
		if slices.Contains(tried, b) {
			b = a
		}
		if slices.Contains(tried, a) {
			return next(list, i, tried)
		}
	}
	if b.active.Load() < a.active.Load() {
		return b
	}
	return a
}

// mostRehashes bounds how often a key is led on from endpoints that cannot have
// it.
const mostRehashes = 16

// chooseByKey returns the endpoint of a key. Where that is ejected, or was tried,
// each key goes on by a hash of its own, so that no single endpoint has the load
// of another, and keys of others stay where they are.
func (p *Pool) chooseByKey(r *roster, w want) *endpoint {
	key := w.key
	for range mostRehashes {
		e := r.slots.of(key)
		if !slices.Contains(w.tried, e) && (!e.health.out.Load() || p.grant(e)) {
			return e
		}
		key = mix(key)
	}
	return next(r.open[r.level()], key>>1, w.tried)
}

// level is the first tier that has an endpoint in use; near where none has.
func (r *roster) level() tier {
	for t := range r.open {
		if len(r.open[t]) > 0 {
			return tier(t)
		}
	}
	return near
}

// first is the first tier that has an endpoint.
func (r *roster) first() []*endpoint {
	for _, list := range r.tiers {
		if len(list) > 0 {
			return list
		}
	}
	return nil
}

// next returns the first endpoint from a place on that was not tried.
func next(from []*endpoint, turn uint64, tried []*endpoint) *endpoint {
	n := uint64(len(from))
	for i := range n {
		if e := from[(turn+i)%n]; !slices.Contains(tried, e) {
			return e
		}
	}
	return nil
}

// hasMore says whether there is an endpoint that was not tried.
func (p *Pool) hasMore(tried []*endpoint) bool {
	r := p.roster.Load()
	left := len(r.byAddr)
	for _, e := range tried {
		if r.byAddr[e.addr] == e {
			left--
		}
	}
	return left > 0
}
