package server

import (
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/ir/hash"
)

// unit keeps the sums of a unit's parts from set to set, so that a set costs
// what it changes.
type unit struct {
	owner ir.Object
	// now is guarded by the server's lock, all else by making.
	now          *snapshot
	making       sync.Mutex
	last         *snapshot
	listeners    hash.Memo[ir.Listener]
	routes       hash.Memo[ir.Route]
	backends     hash.Memo[ir.Backend]
	certificates hash.Memo[ir.Certificate]
	endpoints    hash.Memo[ir.Endpoints]
	needs        needs
}

// snapshot is one set, ready to be sent. It never changes.
type snapshot struct {
	unit     *ir.Unit
	manifest wire.Manifest
	lists    [wire.Kinds]hash.Sum
	total    hash.Sum
	key      ir.Secret
	keySum   hash.Sum
	// needs are the features that the unit asks for, ordered.
	needs []feature.Name
	at    time.Time
}

// next makes a snapshot of a set. One goroutine at a time calls it.
func (u *unit) next(set Set) *snapshot {
	p, last := set.Unit.Proxy, u.last
	next := &snapshot{unit: set.Unit, key: set.SessionKey, keySum: wire.KeySum(set.SessionKey), at: time.Now()}
	next.manifest = wire.Manifest{Version: set.Version, Lists: make([][]hash.Sum, wire.Kinds)}
	lists := next.manifest.Lists
	if last != nil && last.unit.Proxy == p {
		// A change of endpoints alone touches nothing else.
		copy(lists, last.manifest.Lists)
		next.needs, next.lists = last.needs, last.lists
	} else {
		lists[wire.Rest] = []hash.Sum{hash.Of(wire.WithoutLists(p))}
		lists[wire.Listeners] = u.listeners.Sums(p.Listeners, hash.Of)
		lists[wire.Routes] = u.routes.Sums(p.Routes, hash.Of)
		lists[wire.Backends] = u.backends.Sums(p.Backends, hash.Of)
		lists[wire.Certificates] = u.certificates.Sums(p.Certificates, hash.Of)
		next.needs = u.needs.of(p)
		for kind := range wire.Endpoints {
			next.lists[kind] = hash.OfList(lists[kind])
		}
	}
	lists[wire.Endpoints] = u.endpoints.Sums(set.Unit.Endpoints, hash.Of)
	next.lists[wire.Endpoints] = hash.OfList(lists[wire.Endpoints])
	next.total = wire.TotalOf(set.Version, &next.lists)
	u.last = next
	return next
}

// part is the one that stands at a place of a list.
func (s *snapshot) part(kind wire.Kind, i int) any {
	switch p := s.unit.Proxy; kind {
	case wire.Rest:
		return wire.WithoutLists(p)
	case wire.Listeners:
		return p.Listeners[i]
	case wire.Routes:
		return p.Routes[i]
	case wire.Backends:
		return p.Backends[i]
	case wire.Certificates:
		return p.Certificates[i]
	default:
		return s.unit.Endpoints[i]
	}
}

// needs keeps what each route asks for, and how many routes ask for each feature.
type needs struct {
	routes []*ir.Route
	wanted [][]feature.Name
	count  map[feature.Name]int
}

// of returns the features that a unit asks for, in order.
func (n *needs) of(p *ir.Proxy) []feature.Name {
	if len(n.routes) != len(p.Routes) || n.count == nil {
		n.grow(p.Routes)
	}
	for i, route := range p.Routes {
		if n.routes[i] != route {
			n.replace(i, route)
		}
	}
	all := feature.Set{}
	for name := range n.count {
		all[name] = struct{}{}
	}
	if p.Settings.HTTP3.Enabled {
		all[feature.HTTP3] = struct{}{}
	}
	return all.Sorted()
}

// grow makes room for a list of another length, and keeps what is known.
func (n *needs) grow(next []*ir.Route) {
	old := *n
	*n = needs{routes: make([]*ir.Route, len(next)), wanted: make([][]feature.Name, len(next)), count: map[feature.Name]int{}}
	known := make(map[*ir.Route][]feature.Name, len(old.routes))
	for i, route := range old.routes {
		known[route] = old.wanted[i]
	}
	for i, route := range next {
		if wanted, ok := known[route]; ok {
			n.routes[i], n.wanted[i] = route, wanted
			n.add(wanted, 1)
		}
	}
}

func (n *needs) replace(i int, route *ir.Route) {
	n.add(n.wanted[i], -1)
	n.routes[i], n.wanted[i] = route, ofRoute(route)
	n.add(n.wanted[i], 1)
}

func (n *needs) add(names []feature.Name, times int) {
	for _, name := range names {
		if n.count[name] += times; n.count[name] == 0 {
			delete(n.count, name)
		}
	}
}

func ofRoute(r *ir.Route) []feature.Name {
	wanted := []feature.Name{feature.OfKind(r.Kind)}
	for _, rule := range r.Rules {
		// What is refused is answered with 500, whatever it asks for.
		if rule.Refused == "" {
			wanted = append(wanted, feature.OfRule(r.Kind, rule)...)
		}
	}
	slices.Sort(wanted)
	return slices.Compact(wanted)
}
