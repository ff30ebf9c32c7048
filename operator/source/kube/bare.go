package kube

import (
	"maps"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
)

// unread are annotations that nothing is translated from, and that come and go:
// kubectl's copy of an object, and the clock of the endpoints' controller.
var unread = []string{corev1.LastAppliedConfigAnnotation, corev1.EndpointsLastChangeTriggerTime}

// differs reports whether an update changes anything that is translated. A write
// of a status raises no generation.
func differs(old, next client.Object) bool {
	switch o := old.(type) {
	case *corev1.Service:
		n := next.(*corev1.Service)
		return differsInMeta(old, next) || !reflect.DeepEqual(o.Spec, n.Spec)
	case *discoveryv1.EndpointSlice:
		n := next.(*discoveryv1.EndpointSlice)
		return differsInMeta(old, next) || o.AddressType != n.AddressType || !reflect.DeepEqual(o.Endpoints, n.Endpoints) || !reflect.DeepEqual(o.Ports, n.Ports)
	default:
		return old.GetGeneration() != next.GetGeneration() || differsInMeta(old, next)
	}
}

// differsInMeta compares what is read of an object's metadata beside its
// generation. Another UID is another object of the same name.
func differsInMeta(old, next client.Object) bool {
	return old.GetUID() != next.GetUID() || (old.GetDeletionTimestamp() == nil) != (next.GetDeletionTimestamp() == nil) ||
		!maps.Equal(old.GetLabels(), next.GetLabels()) || !maps.Equal(annotations(old), annotations(next))
}

func annotations(o client.Object) map[string]string {
	all := o.GetAnnotations()
	for _, name := range unread {
		if _, has := all[name]; has {
			some := maps.Clone(all)
			maps.DeleteFunc(some, func(key, _ string) bool { return key == unread[0] || key == unread[1] })
			return some
		}
	}
	return all
}

// bare returns an object without what nothing is translated from, its status
// first of all. The parts that stay are shared.
func bare(o client.Object) client.Object {
	m := metav1.ObjectMeta{
		Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(), Generation: o.GetGeneration(),
		CreationTimestamp: o.GetCreationTimestamp(), DeletionTimestamp: o.GetDeletionTimestamp(),
		Labels: o.GetLabels(), Annotations: annotations(o),
	}
	switch t := o.(type) {
	case *corev1.Namespace:
		return &corev1.Namespace{ObjectMeta: m}
	case *corev1.Service:
		return &corev1.Service{ObjectMeta: m, Spec: t.Spec}
	case *discoveryv1.EndpointSlice:
		m.Generation = 0
		return &discoveryv1.EndpointSlice{ObjectMeta: m, AddressType: t.AddressType, Endpoints: t.Endpoints, Ports: t.Ports}
	case *v1alpha1.GatewayParameters:
		return &v1alpha1.GatewayParameters{ObjectMeta: m, Spec: t.Spec}
	case *gatewayv1.ReferenceGrant:
		return &gatewayv1.ReferenceGrant{ObjectMeta: m, Spec: t.Spec}
	case *gatewayv1.BackendTLSPolicy:
		return &gatewayv1.BackendTLSPolicy{ObjectMeta: m, Spec: t.Spec}
	}
	return bareParent(o, m)
}

func bareParent(o client.Object, m metav1.ObjectMeta) client.Object {
	switch t := o.(type) {
	case *gatewayv1.GatewayClass:
		return &gatewayv1.GatewayClass{ObjectMeta: m, Spec: t.Spec}
	case *gatewayv1.Gateway:
		return &gatewayv1.Gateway{ObjectMeta: m, Spec: t.Spec}
	case *gatewayv1.ListenerSet:
		return &gatewayv1.ListenerSet{ObjectMeta: m, Spec: t.Spec}
	case *gatewayv1.HTTPRoute:
		return &gatewayv1.HTTPRoute{ObjectMeta: m, Spec: t.Spec}
	case *gatewayv1.GRPCRoute:
		return &gatewayv1.GRPCRoute{ObjectMeta: m, Spec: t.Spec}
	case *gatewayv1.TLSRoute:
		return &gatewayv1.TLSRoute{ObjectMeta: m, Spec: t.Spec}
	case *gatewayv1.TCPRoute:
		return &gatewayv1.TCPRoute{ObjectMeta: m, Spec: t.Spec}
	case *gatewayv1.UDPRoute:
		return &gatewayv1.UDPRoute{ObjectMeta: m, Spec: t.Spec}
	}
	return o
}

func fromUnstructured(u *unstructured.Unstructured, into client.Object) error {
	return runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, into)
}
