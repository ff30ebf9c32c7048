package gatewayapi

import (
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// Touched forgets what rested on the changed facts, and says which units that
// concerns. A unit that never read a fact costs nothing.
func (t *Translator) Touched(facts []resources.Fact) Touched {
	units := map[ir.Object]struct{}{}
	for _, owner := range t.frames.Invalidate(facts) {
		units[owner] = struct{}{}
	}
	for _, r := range t.members.Invalidate(facts) {
		units[r.owner] = struct{}{}
	}
	for _, id := range t.routes.Invalidate(facts) {
		units[id.routing.owner] = struct{}{}
		if u := t.units[id.routing.owner]; u != nil && u.routing == id.routing {
			u.roster.stale = append(u.roster.stale, id.key)
		}
	}
	t.services.Invalidate(facts)
	t.policies.Invalidate(facts)
	touched := Touched{Classes: len(t.classes.Invalidate(facts)) > 0}
	for _, f := range facts {
		t.touchFact(f, units, &touched)
	}
	touched.Endpoints = sortedOwners(t.touchEndpoints(facts, units))
	touched.Units = sortedOwners(units)
	return touched
}

// touchFact finds the units that nothing has read anything for yet: those of
// new Gateways, and of Gateways whose class has just appeared.
func (t *Translator) touchFact(f resources.Fact, units map[ir.Object]struct{}, touched *Touched) {
	if f.Index != "" {
		return
	}
	switch f.Key.Kind {
	case resources.Gateway:
		t.touchGateway(f.Key, units)
	case resources.GatewayClass:
		touched.Classes = true
		for _, key := range t.set.NewView().List(gatewaysByClass, f.Key) {
			t.touchGateway(key, units)
		}
	}
}

func (t *Translator) touchGateway(key resources.Key, units map[ir.Object]struct{}) {
	owner := objectOf(key)
	if _, known := t.units[owner]; known || t.ours(key) {
		units[owner] = struct{}{}
	}
}

func (t *Translator) touchEndpoints(facts []resources.Fact, units map[ir.Object]struct{}) map[ir.Object]struct{} {
	owners := map[ir.Object]struct{}{}
	for _, id := range t.endpoints.Invalidate(facts) {
		for owner := range t.users[id] {
			if _, whole := units[owner]; !whole {
				owners[owner] = struct{}{}
			}
		}
	}
	return owners
}

// Reads reports whether anything that is kept rests on an object.
func (t *Translator) Reads(key resources.Key) bool {
	fact := resources.Fact{Key: key}
	return t.frames.Reads(fact) || t.routes.Reads(fact) || t.policies.Reads(fact) || t.services.Reads(fact) || t.classes.Reads(fact) ||
		t.members.Reads(fact) || t.endpoints.Reads(fact)
}

// Units returns the Gateways that are ours, ordered.
func (t *Translator) Units() []ir.Object {
	owners := map[ir.Object]struct{}{}
	for _, key := range t.set.NewView().List(resources.ByKind, resources.Key{Kind: resources.Gateway}) {
		if t.ours(key) {
			owners[objectOf(key)] = struct{}{}
		}
	}
	return sortedOwners(owners)
}

func sortedOwners(owners map[ir.Object]struct{}) []ir.Object {
	return slices.SortedFunc(maps.Keys(owners), compareObjects)
}

func compareObjects(a, b ir.Object) int {
	if c := strings.Compare(a.Kind, b.Kind); c != 0 {
		return c
	}
	if c := strings.Compare(a.Namespace, b.Namespace); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}

func objectOf(key resources.Key) ir.Object {
	return ir.Object{Kind: string(key.Kind), Namespace: key.Namespace, Name: key.Name}
}

func keyOf(o ir.Object) resources.Key {
	return resources.Key{Kind: resources.Kind(o.Kind), Namespace: o.Namespace, Name: o.Name}
}
