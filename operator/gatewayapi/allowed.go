package gatewayapi

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// namespaces says from which namespaces objects may attach.
type namespaces struct {
	from gatewayv1.FromNamespaces
	// own is the namespace of who allows.
	own string
	// selector is set for Selector; nil there means that nothing is selected.
	selector labels.Selector
}

// allow reports whether objects of a namespace may attach.
func (n namespaces) allow(view *resources.View, namespace string) bool {
	switch n.from {
	case gatewayv1.NamespacesFromAll:
		return true
	case gatewayv1.NamespacesFromSame:
		return namespace == n.own
	case gatewayv1.NamespacesFromSelector:
		return n.selects(view, namespace)
	}
	return false
}

func (n namespaces) selects(view *resources.View, namespace string) bool {
	if n.selector == nil {
		return false
	}
	ns, state := resources.Get[*corev1.Namespace](view, namespaceKey(namespace))
	if state != resources.Present {
		return false
	}
	// The API server sets this label, a directory of YAML need not.
	all := labels.Set{corev1.LabelMetadataName: namespace}
	for k, v := range ns.Labels {
		all[k] = v
	}
	return n.selector.Matches(all)
}

// parse turns what an author wrote into namespaces. It fails closed: what
// cannot be understood selects nothing.
func parseNamespaces(from gatewayv1.FromNamespaces, selector *metav1.LabelSelector, own string) (namespaces, string) {
	n := namespaces{from: from, own: own}
	switch from {
	case gatewayv1.NamespacesFromAll, gatewayv1.NamespacesFromSame, gatewayv1.NamespacesFromNone:
		return n, ""
	case gatewayv1.NamespacesFromSelector:
		if selector == nil {
			return n, "from: Selector needs a selector; give one, or use All or Same"
		}
		parsed, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			return n, "the selector is not valid: " + err.Error()
		}
		n.selector = parsed
		return n, ""
	}
	return n, "from: " + string(from) + " is unknown; use All, Same or Selector"
}

// checkNamespaces reads allowedRoutes.namespaces.
func (b *frameBuilder) checkNamespaces(l *listener) {
	from, selector := gatewayv1.NamespacesFromSame, (*metav1.LabelSelector)(nil)
	if a := l.spec.AllowedRoutes; a != nil && a.Namespaces != nil {
		from, selector = orDefault(a.Namespaces.From, from), a.Namespaces.Selector
	}
	var why string
	if l.allowed, why = parseNamespaces(from, selector, l.owner.Namespace); why != "" {
		l.found.add(findings.ListenerUnsupportedValue, l.field+".allowedRoutes.namespaces", "%s", why)
	}
}

// checkKinds reads allowedRoutes.kinds: what the protocol can carry and the
// dataplane can do, less what the author left out.
func (b *frameBuilder) checkKinds(l *listener) {
	for _, kind := range feature.OfProtocol(l.protocol) {
		if b.class.features.Has(feature.OfKind(kind)) {
			l.kinds = append(l.kinds, kind)
		}
	}
	if l.spec.AllowedRoutes == nil || len(l.spec.AllowedRoutes.Kinds) == 0 {
		return
	}
	var wanted []ir.RouteKind
	for i, k := range l.spec.AllowedRoutes.Kinds {
		kind, ok := routeKinds[resources.Kind(k.Kind)]
		if !ok || orDefault(k.Group, gatewayv1.GroupName) != gatewayv1.GroupName || !slices.Contains(l.kinds, kind) {
			l.found.add(findings.RouteKindsInvalid, item(l.field+".allowedRoutes.kinds", i),
				"a listener of protocol %s takes no %s here; use %s", l.protocol, k.Kind, kindNames(l.kinds))
			continue
		}
		if !slices.Contains(wanted, kind) {
			wanted = append(wanted, kind)
		}
	}
	l.kinds = wanted
}

// routeKinds are the kinds of routes by the kinds of their objects.
var routeKinds = map[resources.Kind]ir.RouteKind{
	resources.HTTPRoute: ir.HTTPRoute,
	resources.GRPCRoute: ir.GRPCRoute,
	resources.TLSRoute:  ir.TLSRoute,
	resources.TCPRoute:  ir.TCPRoute,
	resources.UDPRoute:  ir.UDPRoute,
}

func kindNames(kinds []ir.RouteKind) string {
	if len(kinds) == 0 {
		return "another protocol"
	}
	names := ""
	for i, kind := range kinds {
		if i > 0 {
			names += " or "
		}
		names += string(feature.OfKind(kind))
	}
	return names
}

// supportedKinds is what a listener's status says of its kinds; never nil, as
// an empty list tells more than none.
func supportedKinds(kinds []ir.RouteKind) []gatewayv1.RouteGroupKind {
	group := gatewayv1.Group(gatewayv1.GroupName)
	list := make([]gatewayv1.RouteGroupKind, 0, len(kinds))
	for _, kind := range kinds {
		list = append(list, gatewayv1.RouteGroupKind{Group: &group, Kind: gatewayv1.Kind(feature.OfKind(kind))})
	}
	return list
}
