package apiserver

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func class() *gatewayv1.GatewayClass {
	return &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "sluice"}, Spec: gatewayv1.GatewayClassSpec{ControllerName: controller}}
}

func gateway(name string) *gatewayv1.Gateway {
	return &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: gatewayv1.GatewaySpec{GatewayClassName: "sluice", Listeners: []gatewayv1.Listener{
			{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType},
		}},
	}
}

func service(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 8080}}},
	}
}

func route(name string, parents ...string) *gatewayv1.HTTPRoute {
	port := gatewayv1.PortNumber(8080)
	r := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	for _, p := range parents {
		r.Spec.ParentRefs = append(r.Spec.ParentRefs, gatewayv1.ParentReference{Name: gatewayv1.ObjectName(p)})
	}
	r.Spec.Hostnames = []gatewayv1.Hostname{gatewayv1.Hostname(name + ".example.com")}
	r.Spec.Rules = []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
		BackendObjectReference: gatewayv1.BackendObjectReference{Name: "web", Port: &port},
	}}}}}
	return r
}

// get reads an object anew.
func get[T client.Object](s *server, obj T) T {
	s.t.Helper()
	s.must(s.client.Get(context.Background(), client.ObjectKeyFromObject(obj), obj))
	return obj
}

func holds(conditions []metav1.Condition, name string, generation int64) bool {
	c := meta.FindStatusCondition(conditions, name)
	return c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration == generation
}

func accepted(s *server, r *gatewayv1.HTTPRoute) bool {
	get(s, r)
	for _, p := range r.Status.Parents {
		if p.ControllerName == controller && holds(p.Conditions, "Accepted", r.Generation) && holds(p.Conditions, "ResolvedRefs", r.Generation) {
			return true
		}
	}
	return false
}

func attached(s *server, gw *gatewayv1.Gateway) int32 {
	get(s, gw)
	if len(gw.Status.Listeners) == 0 {
		return -1
	}
	return gw.Status.Listeners[0].AttachedRoutes
}
