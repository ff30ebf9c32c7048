package gatewayapi

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/operator/resources"
)

// reference is a use of one object by another, both named with their groups.
type reference struct {
	FromKind      resources.Kind
	FromNamespace string
	ToGroup       gatewayv1.Group
	To            resources.Key
}

// granted reports whether a reference is allowed: within a namespace it always
// is; into another one, a ReferenceGrant there must say so (GEP-709). Every
// kind that Sluice refers from is Gateway API's own.
func granted(view *resources.View, ref reference) bool {
	if ref.FromNamespace == ref.To.Namespace {
		return true
	}
	for _, key := range view.List(grantsByNamespace, namespaceKey(ref.To.Namespace)) {
		grant, state := resources.Get[*gatewayv1.ReferenceGrant](view, key)
		if state == resources.Present && allowsFrom(grant.Spec.From, ref) && allowsTo(grant.Spec.To, ref) {
			return true
		}
	}
	return false
}

func allowsFrom(from []gatewayv1.ReferenceGrantFrom, ref reference) bool {
	for _, f := range from {
		if f.Group == gatewayv1.GroupName && resources.Kind(f.Kind) == ref.FromKind && string(f.Namespace) == ref.FromNamespace {
			return true
		}
	}
	return false
}

func allowsTo(to []gatewayv1.ReferenceGrantTo, ref reference) bool {
	for _, t := range to {
		if t.Group == ref.ToGroup && resources.Kind(t.Kind) == ref.To.Kind &&
			(t.Name == nil || *t.Name == "" || string(*t.Name) == ref.To.Name) {
			return true
		}
	}
	return false
}
