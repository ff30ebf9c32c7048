package server

import (
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/ir/hash"
)

// unit keeps the sums of a unit's parts from set to set, so that a set costs
// what it changes.
type unit struct {
	owner        ir.Object
	now          *snapshot
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
	total    hash.Sum
	key      ir.Secret
	keySum   hash.Sum
	// needs are the features that the unit asks for, ordered.
	needs []feature.Name
	at    time.Time
}

func (u *unit) set(set Set) {
	p := set.Unit.Proxy
	next := &snapshot{unit: set.Unit, key: set.SessionKey, keySum: wire.KeySum(set.SessionKey), at: time.Now()}
	next.manifest = wire.Manifest{Version: set.Version, Lists: make([][]hash.Sum, wire.Kinds)}
	lists := next.manifest.Lists
	if u.now != nil && u.now.unit.Proxy == p {
		// A change of endpoints alone touches nothing else.
		copy(lists, u.now.manifest.Lists)
		next.needs = u.now.needs
	} else {
		lists[wire.Rest] = []hash.Sum{hash.Of(wire.WithoutLists(p))}
		lists[wire.Listeners] = u.listeners.Sums(p.Listeners, hash.Of)
		lists[wire.Routes] = u.routes.Sums(p.Routes, hash.Of)
		lists[wire.Backends] = u.backends.Sums(p.Backends, hash.Of)
		lists[wire.Certificates] = u.certificates.Sums(p.Certificates, hash.Of)
		next.needs = u.needs.of(p)
	}
	lists[wire.Endpoints] = u.endpoints.Sums(set.Unit.Endpoints, hash.Of)
	next.total = next.manifest.Total()
	u.now = next
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

// needs keeps what each route asks for, as it does not change with the pointer.
type needs struct {
	byRoute map[*ir.Route][]feature.Name
}

// of returns the features that a unit asks for, in order.
func (n *needs) of(p *ir.Proxy) []feature.Name {
	next := make(map[*ir.Route][]feature.Name, len(p.Routes))
	all := feature.Set{}
	for _, route := range p.Routes {
		wanted, known := n.byRoute[route]
		if !known {
			wanted = ofRoute(route)
		}
		next[route] = wanted
		for _, name := range wanted {
			all[name] = struct{}{}
		}
	}
	n.byRoute = next
	if p.Settings.HTTP3.Enabled {
		all[feature.HTTP3] = struct{}{}
	}
	return all.Sorted()
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
