package gatewayapi_test

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
)

const manyRoutes = 5000

// bigGateway is one Gateway with 5,000 routes to 1,000 Services.
func bigGateway() []resources.Event {
	events := []resources.Event{
		event(&gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "sluice"}, Spec: gatewayv1.GatewayClassSpec{ControllerName: controller}}),
		event(&gatewayv1.Gateway{
			ObjectMeta: metav1.ObjectMeta{Namespace: "infra", Name: "big"},
			Spec: gatewayv1.GatewaySpec{GatewayClassName: "sluice", Listeners: []gatewayv1.Listener{{
				Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType,
				AllowedRoutes: &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: ptr(gatewayv1.NamespacesFromAll)}},
			}}},
		}),
	}
	for i := range manyRoutes / 5 {
		events = append(events, event(bigService(i)), event(bigSlice(i, "10.0.0.1")))
	}
	for i := range manyRoutes {
		events = append(events, event(bigRoute(i, "/v1")))
	}
	return events
}

func bigService(i int) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: fmt.Sprintf("svc-%d", i)},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 8080}}},
	}
}

func bigSlice(i int, address string) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "apps", Name: fmt.Sprintf("svc-%d-x", i),
			Labels: map[string]string{discoveryv1.LabelServiceName: fmt.Sprintf("svc-%d", i)},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Port: ptr(int32(8080))}},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{address}}},
	}
}

func bigRoute(i int, path string) *gatewayv1.HTTPRoute {
	return &gatewayv1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "apps", Name: fmt.Sprintf("route-%d", i),
			CreationTimestamp: metav1.NewTime(time.Unix(int64(i*7919%manyRoutes), 0)),
		},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Namespace: ptr(gatewayv1.Namespace("infra")), Name: "big"}}},
			Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(fmt.Sprintf("host-%d.example.com", i))},
			Rules: []gatewayv1.HTTPRouteRule{{
				Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Value: ptr(path)}}},
				BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{
					Name: gatewayv1.ObjectName(fmt.Sprintf("svc-%d", i%(manyRoutes/5))), Port: ptr(int32(8080)),
				}}}},
			}},
		},
	}
}

var big = ir.Object{Kind: "Gateway", Namespace: "infra", Name: "big"}

func bigTranslator(b *testing.B) (*resources.Set, *gatewayapi.Translator) {
	b.Helper()
	set := resources.NewSet(gatewayapi.Indexes()...)
	tr := newTranslator(set)
	tr.Touched(set.Apply(bigGateway()))
	return set, tr
}

// The budget is 300 ms.
func BenchmarkTranslate5000Routes(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		_, tr := bigTranslator(b)
		b.StartTimer()
		if out := tr.Translate(big); len(out.Proxy.Routes) != manyRoutes {
			b.Fatalf("%d routes", len(out.Proxy.Routes))
		}
	}
}

// The budget is 5 ms, the event itself included.
func BenchmarkOneRouteChanged(b *testing.B) {
	set, tr := bigTranslator(b)
	tr.Translate(big)
	n := 0
	for b.Loop() {
		n++
		touched := tr.Touched(set.Apply([]resources.Event{event(bigRoute(n%manyRoutes, fmt.Sprintf("/w%d", n)))}))
		if len(touched.Units) != 1 {
			b.Fatal("the unit was not touched")
		}
		tr.Translate(big)
	}
}

// The budget is 5 ms too, though the list of routes changes.
func BenchmarkOneRouteAdded(b *testing.B) {
	set, tr := bigTranslator(b)
	tr.Translate(big)
	n := manyRoutes
	for b.Loop() {
		n++
		tr.Touched(set.Apply([]resources.Event{event(bigRoute(n, "/"))}))
		tr.Translate(big)
	}
}

func BenchmarkEndpointEvent(b *testing.B) {
	set, tr := bigTranslator(b)
	tr.Translate(big)
	tr.Endpoints(big)
	n := 0
	for b.Loop() {
		n++
		touched := tr.Touched(set.Apply([]resources.Event{event(bigSlice(n%1000, fmt.Sprintf("10.1.%d.%d", n>>8&255, n&255)))}))
		if len(touched.Units) != 0 || len(touched.Endpoints) != 1 {
			b.Fatalf("touched %+v", touched)
		}
		tr.Endpoints(big)
	}
}
