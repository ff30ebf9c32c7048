package gatewayapi

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// unit is what is kept of one unit from one translation to the next, so that
// what did not change stays the same pointer and costs next to nothing.
type unit struct {
	routing *routing
	members []resources.Key
	// order are the routes in order of precedence.
	order        []*routed
	variants     map[*routed]*variant
	listeners    map[ir.ListenerKey]*ir.Listener
	backends     map[ir.BackendKey]*ir.Backend
	certificates map[ir.CertificateKey]*ir.Certificate
	reports      map[resources.Key]*findings.Report
	endpoints    []endpointsID
}

// Translate translates one unit. What is no Gateway of ours (any more) gives an
// Output without a Proxy.
func (t *Translator) Translate(owner ir.Object) Output {
	f := t.frameOf(owner)
	if f == nil {
		t.drop(owner)
		return Output{Owner: owner}
	}
	u := t.units[owner]
	if u == nil {
		u = &unit{}
		t.units[owner] = u
	}
	t.settleRouting(u, f)
	pending := t.collectRoutes(u) || f.pending
	a := assembly{frame: f, unit: u, routes: u.settleConflicts()}
	out := a.output(owner)
	out.Pending = out.Pending || pending
	t.settleEndpoints(owner, u, a.endpoints)
	return out
}

// drop forgets a unit.
func (t *Translator) drop(owner ir.Object) {
	u := t.units[owner]
	if u == nil {
		return
	}
	t.forgetRoutes(u)
	t.settleEndpoints(owner, u, nil)
	delete(t.units, owner)
}

func (t *Translator) forgetRoutes(u *unit) {
	for _, key := range u.members {
		t.routes.Forget(routeID{u.routing, key})
	}
	t.members.Forget(u.routing)
	u.members, u.order = nil, nil
}

// settleRouting keeps the pointer of what routes see while it stays equal: a
// renewed certificate must not cost 5,000 routes.
func (t *Translator) settleRouting(u *unit, f *frame) {
	switch {
	case u.routing == f.routing:
	case u.routing != nil && reflect.DeepEqual(u.routing, f.routing):
		f.routing = u.routing
	default:
		if u.routing != nil {
			t.forgetRoutes(u)
		}
		u.routing = f.routing
	}
}

// collectRoutes finds the unit's routes and translates those that changed. It
// reports whether one of them may still appear.
func (t *Translator) collectRoutes(u *unit) bool {
	members := t.members.Do(t.set, u.routing, func(v *resources.View) membership {
		keys := listMembers(v, u.routing)
		// Endpoints are read apart, but without them a unit must not go out.
		v.Await(resources.EndpointSlice)
		return membership{keys, v.Pending()}
	})
	same := sameSlice(u.members, members.keys)
	u.members = members.keys
	order := make([]*routed, 0, len(u.members))
	if same {
		for _, old := range u.order {
			order = t.appendRoute(order, u.routing, old.age.key)
		}
	} else {
		for _, key := range u.members {
			order = t.appendRoute(order, u.routing, key)
		}
	}
	if !slices.IsSortedFunc(order, byRouteAge) {
		slices.SortFunc(order, byRouteAge)
	}
	u.order = order
	return members.pending
}

// membership is which routes a unit has.
type membership struct {
	keys    []resources.Key
	pending bool
}

func (t *Translator) appendRoute(order []*routed, r *routing, key resources.Key) []*routed {
	if made := t.routeOf(r, key); made != nil {
		return append(order, made)
	}
	return order
}

func byRouteAge(a, b *routed) int { return byAge(a.age, b.age) }

func sameSlice(a, b []resources.Key) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// listMembers lists the routes of a unit: those of the Gateway and those of its
// ListenerSets, ordered by key, each once.
func listMembers(view *resources.View, r *routing) []resources.Key {
	parents := slices.SortedFunc(maps.Keys(r.parents), resources.Key.Compare)
	var members []resources.Key
	for _, parent := range parents {
		list := view.List(routesByParent, parent)
		if len(list) == 0 {
			continue
		}
		if members == nil {
			members = list
			continue
		}
		members = append(slices.Clip(members), list...)
	}
	if !slices.IsSortedFunc(members, resources.Key.Compare) {
		members = slices.Clone(members)
		slices.SortFunc(members, resources.Key.Compare)
	}
	if len(parents) > 1 {
		members = slices.Compact(slices.Clone(members))
	}
	return members
}

// settleEndpoints takes down which endpoints a unit uses.
func (t *Translator) settleEndpoints(owner ir.Object, u *unit, used []endpointsID) {
	if slices.Equal(u.endpoints, used) {
		return
	}
	for _, id := range u.endpoints {
		if delete(t.users[id], owner); len(t.users[id]) == 0 {
			delete(t.users, id)
		}
	}
	for _, id := range used {
		if t.users[id] == nil {
			t.users[id] = map[ir.Object]struct{}{}
		}
		t.users[id][owner] = struct{}{}
	}
	for _, id := range u.endpoints {
		if t.users[id] == nil {
			t.endpoints.Forget(id)
		}
	}
	u.endpoints = used
}

func compareEndpoints(a, b endpointsID) int {
	return cmp.Or(compareEndpointsKeys(a.key, b.key), cmp.Compare(a.mode, b.mode))
}
