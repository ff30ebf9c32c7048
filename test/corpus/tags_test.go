package corpus

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
)

// checkTags holds a case to what it claims to show.
func (g *golden) checkTags(t *testing.T, w *world) {
	t.Helper()
	found, filters := g.found(t, w), filtersOf(w.units())
	for _, code := range g.tags[tagFinding] {
		if !found[findings.Code(code)] {
			t.Errorf("has the tag \"finding: %s\" and brings about %v", code, slices.Sorted(maps.Keys(found)))
		}
	}
	for _, name := range g.tags[tagFilter] {
		if !filters[name] {
			t.Errorf("has the tag \"filter: %s\" and makes %v", name, slices.Sorted(maps.Keys(filters)))
		}
	}
	for _, name := range g.tags[tagRefusal] {
		g.checkRefusal(t, w, feature.Name(name))
	}
}

// checkRefusal takes one feature from the dataplane: then something must be
// refused that was not before.
func (g *golden) checkRefusal(t *testing.T, w *world, name feature.Name) {
	t.Helper()
	all := g.features(t)
	if !all.Has(name) {
		t.Errorf("has the tag \"refusal: %s\", which its dataplane lacks", name)
		return
	}
	less := newWorld(all.Without(name))
	less.apply(g.objects...)
	if before, after := g.countFindings(t, w), g.countFindings(t, less); after <= before {
		t.Errorf("has the tag \"refusal: %s\" and %d findings; without the feature it has %d", name, before, after)
	}
}

func (g *golden) countFindings(t *testing.T, w *world) int {
	t.Helper()
	n := 0
	for _, r := range g.reports(t, w) {
		for i := range r.Subjects {
			n += len(r.Subjects[i].Findings)
		}
	}
	return n
}

func filtersOf(units []*ir.Unit) map[string]bool {
	names := map[string]bool{}
	note := func(filters []ir.Filter) {
		for _, f := range filters {
			for field, value := range reflect.ValueOf(f).Fields() {
				if !value.IsNil() {
					names[field.Name] = true
				}
			}
		}
	}
	for _, u := range units {
		for _, r := range u.Proxy.Routes {
			for _, rule := range r.Rules {
				note(rule.Filters)
				for _, b := range rule.Backends {
					note(b.Filters)
				}
			}
		}
	}
	return names
}
