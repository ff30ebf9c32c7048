package gatewayapi

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// listenerSet is a ListenerSet that names the Gateway as its parent.
type listenerSet struct {
	key    resources.Key
	object *gatewayv1.ListenerSet
	// allowed is false where the Gateway does not take it.
	allowed   bool
	listeners []*listener
	found     notes
}

func (s *listenerSet) accepted() bool {
	return s.allowed && !findings.Turns(s.found.found, "Accepted", "False")
}

// collectSets reads the ListenerSets in order of precedence (GEP-1713): the
// oldest first, then by namespace and name.
func (b *frameBuilder) collectSets() {
	allowed := b.allowedListeners()
	for _, key := range b.view.List(listenerSetsByOwner, b.key) {
		object, state := resources.Get[*gatewayv1.ListenerSet](b.view, key)
		if state == resources.Present {
			b.sets = append(b.sets, &listenerSet{key: key, object: object})
		}
	}
	slices.SortFunc(b.sets, func(x, y *listenerSet) int {
		return byAge(age{x.object.CreationTimestamp.Time, x.key}, age{y.object.CreationTimestamp.Time, y.key})
	})
	for _, set := range b.sets {
		b.collectSet(set, allowed)
	}
}

func (b *frameBuilder) collectSet(set *listenerSet, allowed namespaces) {
	switch {
	case !b.class.features.Has(feature.ListenerSet):
		set.found.add(findings.ListenerSetNotAllowed, "spec.parentRef",
			"ListenerSets are not supported by the dataplane of %s", b.class.controller)
	case !allowed.allow(b.view, set.key.Namespace):
		set.found.add(findings.ListenerSetNotAllowed, "spec.parentRef",
			"%v takes no ListenerSets from namespace %s; its spec.allowedListeners must allow them", b.key, set.key.Namespace)
	default:
		set.allowed = true
	}
	if !set.allowed {
		return
	}
	for i := range set.object.Spec.Listeners {
		set.listeners = append(set.listeners, b.addListener(set.key, entryListener(&set.object.Spec.Listeners[i]), i))
	}
}

// entryListener writes an entry of a ListenerSet as a Gateway's listener: the
// fields are the same.
func entryListener(e *gatewayv1.ListenerEntry) gatewayv1.Listener {
	return gatewayv1.Listener{
		Name: e.Name, Hostname: e.Hostname, Port: e.Port, Protocol: e.Protocol,
		TLS: e.TLS, AllowedRoutes: e.AllowedRoutes,
	}
}

// allowedListeners says from where ListenerSets may come; by default from
// nowhere.
func (b *frameBuilder) allowedListeners() namespaces {
	from, selector := gatewayv1.NamespacesFromNone, (*metav1.LabelSelector)(nil)
	if a := b.gateway.Spec.AllowedListeners; a != nil && a.Namespaces != nil {
		from, selector = orDefault(a.Namespaces.From, from), a.Namespaces.Selector
	}
	n, why := parseNamespaces(from, selector, b.key.Namespace)
	if why != "" {
		b.found.add(findings.GatewayUnsupportedValue, "spec.allowedListeners.namespaces", "%s", why)
	}
	return n
}

// settle decides on a ListenerSet as a whole, once its listeners and its
// Gateway are decided on.
func (s *listenerSet) settle(gatewayRefused bool, gateway resources.Key) {
	if !s.allowed {
		return
	}
	valid, invalid := 0, []string(nil)
	for _, l := range s.listeners {
		if l.accepted() && l.programmed() {
			valid++
		} else {
			invalid = append(invalid, l.key.Section)
		}
	}
	switch {
	case gatewayRefused:
		s.found.add(findings.ParentNotAccepted, "spec.parentRef", "%v is not accepted; its conditions say why", gateway)
	case valid == 0:
		s.found.add(findings.ListenerSetNoneValid, "spec.listeners", "no listener is valid; the listeners' conditions say why")
	case len(invalid) > 0:
		s.found.add(findings.ListenerSetSomeInvalid, "spec.listeners",
			"%s not valid, the others are served; the listeners' conditions say why", areOrIs(invalid))
	}
}

// age is what precedence among objects goes by.
type age struct {
	created time.Time
	key     resources.Key
}

// byAge orders the oldest first, then by namespace and name, then by kind so
// that the order is total.
func byAge(a, b age) int {
	if c := a.created.Compare(b.created); c != 0 {
		return c
	}
	if c := strings.Compare(a.key.Namespace, b.key.Namespace); c != 0 {
		return c
	}
	if c := strings.Compare(a.key.Name, b.key.Name); c != 0 {
		return c
	}
	return strings.Compare(string(a.key.Kind), string(b.key.Kind))
}
