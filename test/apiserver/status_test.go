package apiserver

import (
	"context"
	"fmt"
	"testing"

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

func TestStatusesAreWritten(t *testing.T) {
	s := newServer(t)
	s.install(crds(t, "experimental")...)
	s.operate(t, settings{})
	gc, gw, r := class(), gateway("main"), route("a", "main")
	s.create(gc, gw, service("web"), r)
	until(t, "the class is accepted", func() bool {
		get(s, gc)
		return holds(gc.Status.Conditions, "Accepted", gc.Generation) && len(gc.Status.SupportedFeatures) > 30
	})
	until(t, "the Gateway is programmed", func() bool {
		get(s, gw)
		return holds(gw.Status.Conditions, "Programmed", gw.Generation) && len(gw.Status.Addresses) == 1 && attached(s, gw) == 1
	})
	until(t, "the route is accepted", func() bool { return accepted(s, r) })
	s.must(s.client.Delete(context.Background(), r))
	until(t, "nothing is attached", func() bool { return attached(s, gw) == 0 })
}

// Attaching many routes costs one write a route and few of the Gateway.
func TestManyRoutes(t *testing.T) {
	s := newServer(t)
	s.install(crds(t, "experimental")...)
	s.operate(t, settings{})
	const n = 1000
	gw := gateway("main")
	s.create(class(), gw, service("web"))
	until(t, "the Gateway is programmed", func() bool { get(s, gw); return holds(gw.Status.Conditions, "Programmed", 1) })
	for i := range n {
		s.create(route(fmt.Sprintf("r-%d", i), "main"))
	}
	until(t, "all are attached", func() bool { return attached(s, gw) == n })
	until(t, "each was written", func() bool { return s.count("httproutes") >= n })
	if routes, gateways := s.count("httproutes"), s.count("gateways"); routes != n || gateways > 50 {
		t.Errorf("%d writes of %d routes, %d of a Gateway", routes, n, gateways)
	} else {
		t.Logf("%d writes of routes, %d of the Gateway", routes, gateways)
	}
}
