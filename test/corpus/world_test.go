package corpus

import (
	"maps"
	"slices"
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// controller is whose classes the corpus has.
const controller gatewayv1.GatewayController = "sluice.dev/go"

// world is what an engine holds: objects, and of each unit what was made of it
// when it was last touched. What the translator does not say is touched stays
// as it is, so a dependency that goes unnoticed shows in the result.
type world struct {
	set       *resources.Set
	tr        *gatewayapi.Translator
	outputs   map[ir.Object]gatewayapi.Output
	endpoints map[ir.Object][]*ir.Endpoints
	classes   []*findings.Report
}

func newWorld(features feature.Set) *world {
	set := resources.NewSet(gatewayapi.Indexes()...)
	opts := gatewayapi.Options{Controllers: map[gatewayv1.GatewayController]feature.Set{controller: features}}
	return &world{
		set: set, tr: gatewayapi.New(set, opts),
		outputs: map[ir.Object]gatewayapi.Output{}, endpoints: map[ir.Object][]*ir.Endpoints{},
	}
}

func (w *world) apply(events ...resources.Event) {
	touched := w.tr.Touched(w.set.Apply(events))
	for _, owner := range touched.Units {
		w.outputs[owner] = w.tr.Translate(owner)
		w.endpoints[owner] = w.tr.Endpoints(owner)
	}
	for _, owner := range touched.Endpoints {
		w.endpoints[owner] = w.tr.Endpoints(owner)
	}
	if touched.Classes {
		w.classes = w.tr.Classes()
	}
}

// remove takes an object away.
func (w *world) remove(e resources.Event) { w.apply(resources.Event{Key: e.Key}) }

// units are what a dataplane would run, in the order of their owners.
func (w *world) units() []*ir.Unit {
	var units []*ir.Unit
	for _, owner := range w.tr.Units() {
		if out := w.outputs[owner]; out.Proxy != nil {
			units = append(units, &ir.Unit{Proxy: out.Proxy, Endpoints: w.endpoints[owner]})
		}
	}
	return units
}

// reports are all that was found out, in the order of the units.
func (g *golden) reports(t *testing.T, w *world) []*findings.Report {
	t.Helper()
	reports := slices.Clone(w.classes)
	owners := slices.SortedFunc(maps.Keys(w.outputs), func(a, b ir.Object) int {
		return strings.Compare(a.Namespace+"\x00"+a.Name, b.Namespace+"\x00"+b.Name)
	})
	for _, owner := range owners {
		reports = append(reports, g.judged(t, w.outputs[owner])...)
	}
	return reports
}

// found are the codes of all findings about all objects.
func (g *golden) found(t *testing.T, w *world) map[findings.Code]bool {
	t.Helper()
	codes := map[findings.Code]bool{}
	for _, r := range g.reports(t, w) {
		for i := range r.Subjects {
			for _, f := range r.Subjects[i].Findings {
				codes[f.Code] = true
			}
		}
	}
	return codes
}

// features are what a case's dataplane can do.
func (g *golden) features(t *testing.T) feature.Set {
	t.Helper()
	set := goproxy.Dataplane{}.Features()
	if g.has(tagDataplane, "full") {
		set = feature.All()
	}
	for _, value := range g.tags[tagFeatures] {
		name, minus := strings.CutPrefix(value, "-")
		if !minus || !set.Has(feature.Name(name)) {
			t.Fatalf("the tag %q has %q: write -Name of a feature that the dataplane has", tagFeatures, value)
		}
		set = set.Without(feature.Name(name))
	}
	return set
}
