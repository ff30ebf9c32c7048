package gatewayapi

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// routeID names the translation of a route by one unit. When what routes see of
// the unit changes, the pointer does.
type routeID struct {
	routing *routing
	key     resources.Key
}

// routed is a route as one unit sees it. It is kept for as long as nothing that
// it was made from changes.
type routed struct {
	age age
	// route is nil where no live listener takes the route.
	route  *ir.Route
	report *findings.Report
	// attached are the listeners that take the route, per parentRef of the
	// report's subjects; counted are the places of those that it counts for.
	attached [][]seat
	counted  []int
	// accepted is false where the route as a whole is refused: it then counts
	// for no listener.
	accepted bool
	backends []*ir.Backend
	// endpoints are those of the backends, in the same order.
	endpoints []endpointsID
	// slots are the unit's for the backends, as of the epoch in which they were
	// bound.
	slots    []*slot
	bound    uint64
	policies []verdict
	names    []string
	pending  bool
}

// seat is a listener that takes a route.
type seat struct {
	key ir.ListenerKey
	// place is the listener's index in the unit.
	place int
}

// count settles which listeners the route counts for: those that take it,
// whether they are live or not, if the route is accepted.
func (r *routed) count() {
	r.counted = nil
	if !r.accepted {
		return
	}
	for _, seats := range r.attached {
		for _, s := range seats {
			if !slices.Contains(r.counted, s.place) {
				r.counted = append(r.counted, s.place)
			}
		}
	}
}

// routeOf returns a route's translation; nil where the object is gone.
func (t *Translator) routeOf(r *routing, key resources.Key) *routed {
	return t.routes.Do(t.set, routeID{r, key}, func(v *resources.View) *routed {
		obj, state := v.Get(key)
		if state != resources.Present {
			return nil
		}
		made := t.route(v, r, key, obj)
		made.pending = v.Pending()
		return made
	})
}

func (t *Translator) route(view *resources.View, r *routing, key resources.Key, obj resources.Object) *routed {
	b := &routeBuilder{Translator: t, view: view, routing: r, backends: map[ir.BackendKey]upstream{}, names: map[string]struct{}{}}
	b.made = &routed{age: age{obj.GetCreationTimestamp().Time, key}}
	why := guard(func() { b.build(sourceOf(key, obj)) })
	if why == "" {
		return b.made
	}
	broken := newFinding(findings.RouteBroken, "", "Sluice cannot translate %v: %s; please report this", key, why)
	made := &routed{age: b.made.age, report: newReport(key, obj, r)}
	refs := commonSpec(obj).ParentRefs
	for i := range refs {
		if parent, ok := parentKey(&refs[i], key.Namespace); ok && r.parents[parent] != nil {
			made.report.Subjects = append(made.report.Subjects, findings.Subject{
				Kind: findings.Route, Parent: &refs[i], Findings: []findings.Finding{broken}})
			made.attached = append(made.attached, nil)
		}
	}
	return made
}

func newReport(key resources.Key, obj resources.Object, r *routing) *findings.Report {
	return &findings.Report{Object: key, Generation: obj.GetGeneration(), Controller: r.controller}
}

// routeBuilder makes one route, step by step.
type routeBuilder struct {
	*Translator
	view    *resources.View
	routing *routing
	source  *source
	made    *routed
	// hostnames are the route's own, lower case; none for every host.
	hostnames []string
	// closed is why the route as a whole is refused where it keeps its hosts:
	// its rules then answer 500, so that nothing of it falls to wider routes.
	closed string
	// passthrough and terminated say what TLS a TLSRoute is attached to.
	passthrough, terminated bool
	// found are the facts that hold whichever parent looks.
	found    notes
	backends map[ir.BackendKey]upstream
	names    map[string]struct{}
	rules    []*ir.Rule
	// dropped are why rules were refused, one finding for each, and droppedAt
	// are their indexes.
	dropped   []findings.Finding
	droppedAt []int
}

// upstream is a backend and where its endpoints come from.
type upstream struct {
	backend   *ir.Backend
	endpoints endpointsID
}

func (b *routeBuilder) build(s *source) {
	b.source = s
	b.made.report = newReport(s.key, s.object, b.routing)
	refusal := b.checkRoute()
	if b.keepsHosts(refusal) {
		b.closed = refusal.Message
	}
	attachments := b.attachAll(refusal)
	b.makeRules()
	b.closeRules()
	b.settleRules()
	b.finish(attachments)
}

// checkRoute finds what refuses the route as a whole; an empty code is nothing.
func (b *routeBuilder) checkRoute() findings.Finding {
	var first findings.Finding
	for _, check := range []func() findings.Finding{b.checkKind, b.checkDefaultGateways, b.checkHostnames, b.checkRules} {
		if f := check(); first.Code == "" {
			first = f
		}
	}
	return first
}

// keepsHosts reports whether a route that is refused as a whole still holds its
// hosts. One that has hostnames of which none is any would hold every host, and
// one without hosts would hold a listener that another route can serve.
func (b *routeBuilder) keepsHosts(refusal findings.Finding) bool {
	return refusal.Code == findings.RouteUnsupportedValue && b.hasHosts() && (len(b.source.hostnames) == 0 || len(b.hostnames) > 0)
}

// hasHosts is false for routes that take a listener as a whole: of those, a
// refused one makes way for the next, which may be accepted.
func (b *routeBuilder) hasHosts() bool {
	return b.source.kind != ir.TCPRoute && b.source.kind != ir.UDPRoute
}

// closeRules refuses every rule of a route that is closed.
func (b *routeBuilder) closeRules() {
	if b.closed == "" {
		return
	}
	if len(b.rules) == 0 {
		b.rules = []*ir.Rule{{Origin: ir.Origin{Object: objectOf(b.source.key)}}}
	}
	for i, rule := range b.rules {
		b.rules[i] = &ir.Rule{Origin: rule.Origin, Matches: rule.Matches, Refused: b.closed}
	}
}

func (b *routeBuilder) checkKind() findings.Finding {
	if !b.routing.features.Has(feature.OfKind(b.source.kind)) {
		return newFinding(findings.RouteKindUnsupported, "kind",
			"%s is not supported by the dataplane of %s; attach it to a Gateway whose dataplane serves it", b.source.key.Kind, b.routing.controller)
	}
	return findings.Finding{}
}

func (b *routeBuilder) checkDefaultGateways() findings.Finding {
	if s := b.source.common.UseDefaultGateways; s != "" && s != "None" {
		return newFinding(findings.RouteUnsupportedValue, "spec.useDefaultGateways",
			"default Gateways are not supported; remove it, and name the Gateway in spec.parentRefs")
	}
	return findings.Finding{}
}

// checkHostnames keeps the hostnames that are good, and names the first that is
// not.
func (b *routeBuilder) checkHostnames() findings.Finding {
	var first findings.Finding
	for i, h := range b.source.hostnames {
		host := listenerHostname(&h)
		switch {
		case validHostname(host):
			b.hostnames = append(b.hostnames, host)
		case first.Code == "":
			first = newFinding(findings.RouteUnsupportedValue, item("spec.hostnames", i),
				"%q is no hostname; use a DNS name, with *. before it for a wildcard", h)
		}
	}
	return first
}

// checkRules refuses a route of connections that says nowhere where to carry
// them.
func (b *routeBuilder) checkRules() findings.Finding {
	if b.isL4() && len(b.source.rules) == 0 {
		return newFinding(findings.RouteUnsupportedValue, "spec.rules", "there is none; a %s has one rule, with its backendRefs", b.source.key.Kind)
	}
	return findings.Finding{}
}

// settleRules decides what refused rules mean for the route: all of them refuse
// it, some leave it partly invalid.
func (b *routeBuilder) settleRules() {
	whole := len(b.dropped) > 0 && len(b.dropped) == len(b.source.rules)
	whole = whole || b.closed != ""
	b.made.accepted = !whole
	for i, f := range b.dropped {
		if !whole {
			f.Code = findings.RouteRuleDropped
			f.Message = fmt.Sprintf("Dropped Rule %d, which %s: %s", b.droppedAt[i], b.fate(), f.Message)
		}
		b.found.put(f)
	}
}

// fate is what becomes of a refused rule's traffic.
func (b *routeBuilder) fate() string {
	if b.isL4() {
		return "carries nothing"
	}
	return "answers 500"
}

// finish writes down what was made.
func (b *routeBuilder) finish(attachments []ir.Attachment) {
	for i := range b.made.report.Subjects {
		s := &b.made.report.Subjects[i]
		s.Findings = append(s.Findings, b.found.found...)
		s.Rules = len(b.source.rules)
	}
	for _, key := range usedBackends(b.rules) {
		b.made.backends = append(b.made.backends, b.backends[key].backend)
		b.made.endpoints = append(b.made.endpoints, b.backends[key].endpoints)
	}
	b.made.names = slices.Sorted(maps.Keys(b.names))
	b.made.count()
	if len(attachments) == 0 || !b.made.accepted && !b.hasHosts() {
		return
	}
	b.made.route = &ir.Route{
		Origin:      objectOf(b.source.key),
		Kind:        b.source.kind,
		Created:     b.made.age.created.UTC(),
		Attachments: attachments,
		Rules:       b.rules,
	}
}

// usedBackends are the keys that rules name, ordered, each once. What only a
// refused rule named is not among them.
func usedBackends(rules []*ir.Rule) []ir.BackendKey {
	var keys []ir.BackendKey
	for _, rule := range rules {
		keys = append(keys, filterBackends(rule.Filters)...)
		for i := range rule.Backends {
			if use := &rule.Backends[i]; use.Backend != nil {
				keys = append(keys, *use.Backend)
				keys = append(keys, filterBackends(use.Filters)...)
			}
		}
	}
	slices.SortFunc(keys, compareBackendKeys)
	return slices.Compact(keys)
}

func filterBackends(filters []ir.Filter) []ir.BackendKey {
	var keys []ir.BackendKey
	for i := range filters {
		if m := filters[i].Mirror; m != nil {
			keys = append(keys, m.Backend)
		}
		if a := filters[i].ExternalAuth; a != nil {
			keys = append(keys, a.Backend)
		}
	}
	return keys
}

func compareBackendKeys(a, b ir.BackendKey) int {
	if c := compareEndpointsKeys(a.EndpointsKey, b.EndpointsKey); c != 0 {
		return c
	}
	return cmp.Compare(a.Protocol, b.Protocol)
}

func compareEndpointsKeys(a, b ir.EndpointsKey) int {
	if c := cmp.Compare(a.Namespace, b.Namespace); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Service, b.Service); c != 0 {
		return c
	}
	return cmp.Compare(a.Port, b.Port)
}
