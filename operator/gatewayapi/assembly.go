package gatewayapi

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// assembly puts a unit together from its frame and its routes. It looks at each
// route, and into none.
type assembly struct {
	*frame
	unit      *unit
	routes    []*routed
	endpoints []endpointsID
	// attached are the numbers of routes, by the listeners' places.
	attached []int32
}

func (a *assembly) output(owner ir.Object) Output {
	a.count()
	out := Output{Owner: owner, Controller: a.controller}
	names := map[string]struct{}{}
	for _, r := range a.routes {
		out.Pending = out.Pending || r.pending
		for _, name := range r.names {
			names[name] = struct{}{}
		}
	}
	out.Names = slices.Sorted(maps.Keys(names))
	out.Reports = a.reports()
	if !a.refused {
		out.Proxy = a.proxy(owner)
		out.Infrastructure = a.unit.settleInfrastructure(a.asks)
	}
	return out
}

// count counts the routes of each listener.
func (a *assembly) count() {
	a.attached = make([]int32, len(a.listeners))
	for _, r := range a.routes {
		for _, place := range r.counted {
			a.attached[place]++
		}
	}
}

func (a *assembly) proxy(owner ir.Object) *ir.Proxy {
	p := &ir.Proxy{Owner: owner, Settings: a.settings, Listeners: a.liveListeners()}
	p.Routes = make([]*ir.Route, 0, len(a.routes))
	for _, r := range a.routes {
		if r.route != nil {
			p.Routes = append(p.Routes, r.route)
		}
	}
	for _, place := range a.unit.slots.collect(a.routes) {
		p.Backends = append(p.Backends, place.backend)
		// Backends are ordered by key, so those that share endpoints are neighbours.
		if n := len(a.endpoints); n == 0 || a.endpoints[n-1] != place.endpoints {
			a.endpoints = append(a.endpoints, place.endpoints)
		}
	}
	p.Certificates = a.usedCertificates(p)
	return p
}

// keepEqual returns the new parts, with the old pointer for each that is equal.
func keepEqual[K comparable, V any](old, parts map[K]*V) map[K]*V {
	for key, part := range parts {
		if was := old[key]; was != nil && was != part && reflect.DeepEqual(was, part) {
			parts[key] = was
		}
	}
	return parts
}

// liveListeners are ordered by port, and stay in order of precedence within one.
func (a *assembly) liveListeners() []*ir.Listener {
	live := map[ir.ListenerKey]*ir.Listener{}
	var list []*ir.Listener
	for _, l := range a.listeners {
		if kept := cmp.Or(l.made, l.closed); kept != nil {
			live[l.key] = kept
			list = append(list, kept)
		}
	}
	a.unit.listeners = keepEqual(a.unit.listeners, live)
	for i, l := range list {
		list[i] = a.unit.listeners[l.Key]
	}
	slices.SortStableFunc(list, func(x, y *ir.Listener) int { return int(x.Port) - int(y.Port) })
	return list
}

// usedCertificates are those that a live listener or a backend names.
func (a *assembly) usedCertificates(p *ir.Proxy) []*ir.Certificate {
	used := map[ir.CertificateKey]*ir.Certificate{}
	for _, l := range p.Listeners {
		if l.TLS == nil {
			continue
		}
		for _, key := range l.TLS.Certificates {
			used[key] = a.certificates[key]
		}
	}
	for _, b := range p.Backends {
		if b.TLS != nil && b.TLS.ClientCertificate != nil {
			used[*b.TLS.ClientCertificate] = a.certificates[*b.TLS.ClientCertificate]
		}
	}
	a.unit.certificates = keepEqual(a.unit.certificates, used)
	var list []*ir.Certificate
	for _, key := range slices.SortedFunc(maps.Keys(used), compareCertificateKeys) {
		list = append(list, a.unit.certificates[key])
	}
	return list
}

func compareCertificateKeys(a, b ir.CertificateKey) int {
	return compareObjects(ir.Object{Namespace: a.Namespace, Name: a.Name}, ir.Object{Namespace: b.Namespace, Name: b.Name})
}

// reports are ordered by key. The routes come ordered already, so the few others
// are merged in.
func (a *assembly) reports() []*findings.Report {
	few := map[resources.Key]*findings.Report{a.gatewayKey(): a.gatewayReport()}
	for _, set := range a.sets {
		few[set.key] = a.setReport(set)
	}
	a.policyReports(few)
	a.unit.reports = keepEqual(a.unit.reports, few)
	keys := slices.SortedFunc(maps.Keys(few), resources.Key.Compare)
	list := make([]*findings.Report, 0, len(keys)+len(a.routes))
	for _, r := range a.unit.roster.byKey {
		if r == nil {
			continue
		}
		for len(keys) > 0 && keys[0].Compare(r.age.key) < 0 {
			list, keys = append(list, few[keys[0]]), keys[1:]
		}
		list = append(list, a.unit.reportOf(r))
	}
	for _, key := range keys {
		list = append(list, few[key])
	}
	return list
}

// reportOf is a route's report, less what the route lost.
func (u *unit) reportOf(r *routed) *findings.Report {
	if len(u.variants) > 0 && u.variants[r] != nil {
		return u.variants[r].made.report
	}
	return r.report
}

func (a *assembly) gatewayKey() resources.Key {
	return resources.Key{Kind: resources.Gateway, Namespace: a.gateway.Namespace, Name: a.gateway.Name}
}

func (a *assembly) gatewayReport() *findings.Report {
	report := &findings.Report{Object: keyOf(a.unit.routing.owner), Generation: a.gateway.Generation, Controller: a.controller}
	report.Subjects = append(report.Subjects, findings.Subject{Kind: findings.Gateway, Findings: a.found.found})
	sets := int32(0)
	for _, set := range a.sets {
		if set.accepted() {
			sets++
		}
	}
	report.AttachedListenerSets = &sets
	for _, l := range a.listeners {
		if l.owner.Kind == resources.Gateway {
			report.Subjects = append(report.Subjects, a.listenerSubject(findings.Listener, l))
		}
	}
	return report
}

func (a *assembly) setReport(set *listenerSet) *findings.Report {
	report := &findings.Report{Object: set.key, Generation: set.object.Generation, Controller: a.controller}
	report.Subjects = append(report.Subjects, findings.Subject{Kind: findings.ListenerSet, Findings: set.found.found})
	for _, l := range set.listeners {
		report.Subjects = append(report.Subjects, a.listenerSubject(findings.ListenerEntry, l))
	}
	return report
}

func (a *assembly) listenerSubject(kind findings.SubjectKind, l *listener) findings.Subject {
	return findings.Subject{
		Kind:           kind,
		Section:        gatewayv1.SectionName(l.key.Section),
		Findings:       l.found.found,
		Port:           l.spec.Port,
		SupportedKinds: supportedKinds(l.kinds),
		AttachedRoutes: a.attached[l.place],
	}
}

// policyReports adds what this unit makes of the policies on its backends.
func (a *assembly) policyReports(few map[resources.Key]*findings.Report) {
	found := map[resources.Key]*notes{}
	for _, r := range a.routes {
		for _, v := range r.policies {
			report := few[v.policy]
			if report == nil {
				report = &findings.Report{Object: v.policy, Generation: v.generation, Controller: a.controller,
					Subjects: []findings.Subject{{Kind: findings.Policy, Parent: a.ancestor()}}}
				few[v.policy], found[v.policy] = report, &notes{}
			}
			found[v.policy].put(v.found...)
			report.Subjects[0].Findings = found[v.policy].found
		}
	}
}

// ancestor is the Gateway as policies name it.
func (a *assembly) ancestor() *gatewayv1.ParentReference {
	group, kind := gatewayv1.Group(gatewayv1.GroupName), gatewayv1.Kind(resources.Gateway)
	namespace := gatewayv1.Namespace(a.gateway.Namespace)
	return &gatewayv1.ParentReference{Group: &group, Kind: &kind, Namespace: &namespace, Name: gatewayv1.ObjectName(a.gateway.Name)}
}
