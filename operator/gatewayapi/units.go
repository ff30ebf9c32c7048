package gatewayapi

import (
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
	roster  roster
	slots   slots

	variants     map[*routed]*variant
	listeners    map[ir.ListenerKey]*ir.Listener
	certificates map[ir.CertificateKey]*ir.Certificate
	reports      map[resources.Key]*findings.Report
	endpoints    []endpointsID
	// infrastructure is that of the last translation that had one.
	infrastructure *Infrastructure
}

// Translate translates one unit. What is no Gateway of ours (any more) gives an
// Output without a Proxy.
func (t *Translator) Translate(owner ir.Object) Output {
	f := t.frameOf(owner)
	if f.absent {
		// The unit of a Gateway whose class is gone may go on, with what it had.
		if !f.pending && !f.classless {
			t.drop(owner)
		}
		return Output{Owner: owner, Classless: f.classless, Pending: f.pending}
	}
	u := t.units[owner]
	if u == nil {
		u = &unit{}
		t.units[owner] = u
	}
	t.settleRouting(u, f)
	members := t.membersOf(u.routing)
	u.roster.update(members.keys, func(key resources.Key) *routed { return t.routeOf(u.routing, key) })
	a := assembly{frame: f, unit: u, routes: u.settleConflicts()}
	out := a.output(owner)
	out.Pending = out.Pending || members.pending || f.pending
	t.settleEndpoints(owner, u, a.endpoints)
	return out
}

// drop forgets a unit.
func (t *Translator) drop(owner ir.Object) {
	t.frames.Forget(owner)
	u := t.units[owner]
	if u == nil {
		return
	}
	t.forgetRoutes(u)
	t.settleEndpoints(owner, u, nil)
	delete(t.units, owner)
}

func (t *Translator) forgetRoutes(u *unit) {
	for _, key := range u.roster.members {
		t.routes.Forget(routeID{u.routing, key})
	}
	t.members.Forget(u.routing)
	u.roster, u.slots = roster{}, slots{}
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

func (t *Translator) membersOf(r *routing) membership {
	return t.members.Do(t.set, r, func(v *resources.View) membership {
		keys := listMembers(v, r)
		// Endpoints are read apart, but without them a unit must not go out.
		v.Await(resources.EndpointSlice)
		return membership{keys, v.Pending()}
	})
}

// membership is which routes a unit has.
type membership struct {
	keys    []resources.Key
	pending bool
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
