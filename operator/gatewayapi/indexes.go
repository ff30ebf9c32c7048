package gatewayapi

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/operator/resources"
)

// The names of the indexes, by what they answer.
const (
	routesByParent      = "routes-by-parent"
	listenerSetsByOwner = "listenersets-by-gateway"
	gatewaysByClass     = "gateways-by-class"
	policiesByTarget    = "backendtlspolicies-by-service"
	grantsByNamespace   = "referencegrants-by-namespace"
	slicesByService     = "endpointslices-by-service"
	forbiddenAnswers    = "dnsanswers-forbidden"
)

// Indexes are what a Set needs to keep for a Translator.
func Indexes() []resources.Index {
	return []resources.Index{
		{Name: routesByParent, Kinds: kindsOfRoutes, Values: parentsOf},
		{Name: listenerSetsByOwner, Kinds: []resources.Kind{resources.ListenerSet}, Values: gatewayOf},
		{Name: gatewaysByClass, Kinds: []resources.Kind{resources.Gateway}, Values: classOf},
		{Name: policiesByTarget, Kinds: []resources.Kind{resources.BackendTLSPolicy}, Values: targetsOf},
		{Name: grantsByNamespace, Kinds: []resources.Kind{resources.ReferenceGrant}, Values: namespaceOfGrant},
		{Name: slicesByService, Kinds: []resources.Kind{resources.EndpointSlice}, Values: serviceOfSlice},
		{Name: forbiddenAnswers, Kinds: []resources.Kind{resources.DNSName}, Values: selfIfForbidden},
	}
}

var kindsOfRoutes = []resources.Kind{
	resources.GRPCRoute, resources.HTTPRoute, resources.TCPRoute, resources.TLSRoute, resources.UDPRoute,
}

func parentsOf(key resources.Key, obj resources.Object) []resources.Key {
	refs := commonSpec(obj).ParentRefs
	keys := make([]resources.Key, 0, len(refs))
	for i := range refs {
		if parent, ok := parentKey(&refs[i], key.Namespace); ok {
			keys = append(keys, parent)
		}
	}
	return keys
}

// commonSpec returns what every kind of route has; nothing for other kinds.
func commonSpec(obj resources.Object) gatewayv1.CommonRouteSpec {
	switch r := obj.(type) {
	case *gatewayv1.HTTPRoute:
		return r.Spec.CommonRouteSpec
	case *gatewayv1.GRPCRoute:
		return r.Spec.CommonRouteSpec
	case *gatewayv1.TLSRoute:
		return r.Spec.CommonRouteSpec
	case *gatewayv1.TCPRoute:
		return r.Spec.CommonRouteSpec
	case *gatewayv1.UDPRoute:
		return r.Spec.CommonRouteSpec
	}
	return gatewayv1.CommonRouteSpec{}
}

// parentKey returns the Gateway or ListenerSet that a parentRef names.
func parentKey(ref *gatewayv1.ParentReference, namespace string) (resources.Key, bool) {
	kind := resources.Kind(orDefault(ref.Kind, gatewayv1.Kind(resources.Gateway)))
	if orDefault(ref.Group, gatewayv1.GroupName) != gatewayv1.GroupName ||
		kind != resources.Gateway && kind != resources.ListenerSet {
		return resources.Key{}, false
	}
	ns := string(orDefault(ref.Namespace, gatewayv1.Namespace(namespace)))
	return resources.Key{Kind: kind, Namespace: ns, Name: string(ref.Name)}, true
}

func gatewayOf(key resources.Key, obj resources.Object) []resources.Key {
	set, ok := obj.(*gatewayv1.ListenerSet)
	if !ok {
		return nil
	}
	ref := &set.Spec.ParentRef
	if orDefault(ref.Group, gatewayv1.GroupName) != gatewayv1.GroupName ||
		orDefault(ref.Kind, gatewayv1.Kind(resources.Gateway)) != gatewayv1.Kind(resources.Gateway) {
		return nil
	}
	ns := string(orDefault(ref.Namespace, gatewayv1.Namespace(key.Namespace)))
	return []resources.Key{{Kind: resources.Gateway, Namespace: ns, Name: string(ref.Name)}}
}

func classOf(_ resources.Key, obj resources.Object) []resources.Key {
	if gw, ok := obj.(*gatewayv1.Gateway); ok {
		return []resources.Key{classKey(string(gw.Spec.GatewayClassName))}
	}
	return nil
}

func classKey(name string) resources.Key {
	return resources.Key{Kind: resources.GatewayClass, Name: name}
}

func targetsOf(key resources.Key, obj resources.Object) []resources.Key {
	policy, ok := obj.(*gatewayv1.BackendTLSPolicy)
	if !ok {
		return nil
	}
	var keys []resources.Key
	for i := range policy.Spec.TargetRefs {
		if ref := &policy.Spec.TargetRefs[i]; isService(ref.Group, ref.Kind) {
			keys = append(keys, resources.Key{Kind: resources.Service, Namespace: key.Namespace, Name: string(ref.Name)})
		}
	}
	return keys
}

func isService(group gatewayv1.Group, kind gatewayv1.Kind) bool {
	return group == corev1.GroupName && kind == gatewayv1.Kind(resources.Service)
}

func namespaceOfGrant(key resources.Key, obj resources.Object) []resources.Key {
	if _, ok := obj.(*gatewayv1.ReferenceGrant); ok {
		return []resources.Key{namespaceKey(key.Namespace)}
	}
	return nil
}

func namespaceKey(name string) resources.Key {
	return resources.Key{Kind: resources.Namespace, Name: name}
}

func serviceOfSlice(key resources.Key, obj resources.Object) []resources.Key {
	slice, ok := obj.(*discoveryv1.EndpointSlice)
	if !ok {
		return nil
	}
	name := slice.Labels[discoveryv1.LabelServiceName]
	if name == "" {
		return nil
	}
	return []resources.Key{{Kind: resources.Service, Namespace: key.Namespace, Name: name}}
}

// orDefault returns what a pointer points to, or a default where the author
// left the field out.
func orDefault[T any](p *T, absent T) T {
	if p == nil {
		return absent
	}
	return *p
}
