package gatewayapi

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
)

// attachAll finds for each parentRef of this unit the listeners that take the
// route, and returns the attachments to those that are live.
func (b *routeBuilder) attachAll(refusal findings.Finding) []ir.Attachment {
	var all []ir.Attachment
	refs := b.source.common.ParentRefs
	for i := range refs {
		key, ok := parentKey(&refs[i], b.source.key.Namespace)
		if !ok || b.routing.parents[key] == nil || repeated(refs[:i], &refs[i]) {
			continue
		}
		ports, refused := b.attach(b.routing.parents[key], &refs[i], item("spec.parentRefs", i))
		if refusal.Code != "" {
			refused = refusal
			if b.closed == "" {
				ports = nil
			}
		}
		subject := findings.Subject{Kind: findings.Route, Parent: &refs[i]}
		if refused.Code != "" {
			subject.Findings = []findings.Finding{refused}
		}
		b.made.report.Subjects = append(b.made.report.Subjects, subject)
		b.made.attached = append(b.made.attached, b.noteAttached(ports, &all))
	}
	slices.SortFunc(all, func(x, y ir.Attachment) int { return compareListenerKeys(x.Listener, y.Listener) })
	return slices.CompactFunc(all, func(x, y ir.Attachment) bool { return x.Listener == y.Listener })
}

// repeated reports whether a parentRef is written twice: the status has one entry
// for each that is distinct.
func repeated(before []gatewayv1.ParentReference, ref *gatewayv1.ParentReference) bool {
	return slices.ContainsFunc(before, func(other gatewayv1.ParentReference) bool { return reflect.DeepEqual(other, *ref) })
}

func (b *routeBuilder) noteAttached(ports []*port, all *[]ir.Attachment) []seat {
	var seats []seat
	for _, p := range ports {
		seats = append(seats, seat{p.key, p.place})
		b.passthrough = b.passthrough || p.protocol == ir.TLS && !p.terminates
		b.terminated = b.terminated || p.protocol == ir.TLS && p.terminates
		if !p.live {
			continue
		}
		a := ir.Attachment{Listener: p.key}
		if b.hasHosts() {
			a.Hostnames = intersectAll(p.hostname, b.hostnames)
		}
		*all = append(*all, a)
	}
	return seats
}

func compareListenerKeys(a, b ir.ListenerKey) int {
	if c := compareObjects(a.Owner, b.Owner); c != 0 {
		return c
	}
	return cmp.Compare(a.Section, b.Section)
}

// attach returns the listeners of a parent that take the route, or why none
// does. The steps are in the order in which the specification names reasons:
// what the parentRef selects, what the listeners allow, what hosts they share.
func (b *routeBuilder) attach(p *parent, ref *gatewayv1.ParentReference, field string) ([]*port, findings.Finding) {
	if p.refused != "" {
		return nil, newFinding(findings.NotAllowedByListeners, field, "%v takes no routes: %s", p.key, p.refused)
	}
	if ref.Port != nil && !b.isL4() && !b.routing.features.Has(feature.HTTPRouteParentRefPort) {
		return nil, newFinding(findings.RouteUnsupportedValue, field+".port",
			"a port in a parentRef is not supported by the dataplane of %s; use sectionName", b.routing.controller)
	}
	selected := keep(all(p.ports), func(l *port) bool {
		return (ref.SectionName == nil || *ref.SectionName == "" || string(*ref.SectionName) == l.key.Section) &&
			(ref.Port == nil || *ref.Port == l.number)
	})
	if len(selected) == 0 {
		return nil, newFinding(findings.NoMatchingParent, field, "%v has no listener%s; name one that it has", p.key, selection(ref))
	}
	allowing := keep(selected, func(l *port) bool {
		return slices.Contains(l.kinds, b.source.kind) && l.allowed.allow(b.view, b.source.key.Namespace)
	})
	if len(allowing) == 0 {
		return nil, newFinding(findings.NotAllowedByListeners, field,
			"no listener of %v%s takes a %s from namespace %s; its allowedRoutes, and its protocol, say what it takes",
			p.key, selection(ref), b.source.key.Kind, b.source.key.Namespace)
	}
	sharing := keep(allowing, func(l *port) bool { return len(intersectAll(l.hostname, b.hostnames)) > 0 })
	if len(sharing) == 0 {
		return nil, newFinding(findings.NoMatchingListenerHostname, "spec.hostnames",
			"no listener of %v%s has a hostname that covers any of these; change the route's or the listener's", p.key, selection(ref))
	}
	return sharing, findings.Finding{}
}

// selection names what a parentRef selects by, for messages.
func selection(ref *gatewayv1.ParentReference) string {
	var text string
	if ref.SectionName != nil && *ref.SectionName != "" {
		text += " called " + string(*ref.SectionName)
	}
	if ref.Port != nil {
		text += " on port " + strconv.Itoa(int(*ref.Port))
	}
	return text
}

func all(ports []port) []*port { return each(ports, func(p *port) *port { return p }) }

func keep(ports []*port, want func(*port) bool) []*port {
	var kept []*port
	for _, p := range ports {
		if want(p) {
			kept = append(kept, p)
		}
	}
	return kept
}
