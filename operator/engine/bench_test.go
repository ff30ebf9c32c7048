package engine_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
)

const manyRoutes = 5000

type quiet struct{}

func (quiet) Publish(engine.Snapshot) {}

func object(kind resources.Kind, o resources.Object) resources.Event {
	return resources.Event{Key: resources.Key{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName()}, Object: o}
}

func manyObjects() []resources.Event {
	events := []resources.Event{
		object(resources.GatewayClass, &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "sluice"}, Spec: gatewayv1.GatewayClassSpec{ControllerName: controller}}),
		object(resources.Gateway, &gatewayv1.Gateway{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "big"},
			Spec:       gatewayv1.GatewaySpec{GatewayClassName: "sluice", Listeners: []gatewayv1.Listener{{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType}}},
		}),
	}
	for i := range manyRoutes / 5 {
		events = append(events, object(resources.Service, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("svc-%d", i)},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 8080}}},
		}), slice(i, "10.0.0.1"))
	}
	for i := range manyRoutes {
		events = append(events, httpRoute(i, "/v1"))
	}
	return events
}

func slice(i int, address string) resources.Event {
	port := int32(8080)
	return object(resources.EndpointSlice, &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: fmt.Sprintf("svc-%d-x", i), Labels: map[string]string{discoveryv1.LabelServiceName: fmt.Sprintf("svc-%d", i)},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Port: &port}},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{address}}},
	})
}

func httpRoute(i int, path string) resources.Event {
	port := int32(8080)
	return object(resources.HTTPRoute, &gatewayv1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: fmt.Sprintf("route-%d", i), CreationTimestamp: metav1.NewTime(time.Unix(int64(i*7919%manyRoutes), 0)),
		},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: "big"}}},
			Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(fmt.Sprintf("host-%d.example.com", i))},
			Rules: []gatewayv1.HTTPRouteRule{{
				Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Value: &path}}},
				BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{
					Name: gatewayv1.ObjectName(fmt.Sprintf("svc-%d", i%(manyRoutes/5))), Port: &port,
				}}}},
			}},
		},
	})
}

// benchmark measures from an event to the assignment that comes of it.
func benchmark(b *testing.B, event func(n int) resources.Event) {
	b.Helper()
	plane, s := newHeld(), &script{batches: make(chan source.Batch)}
	opts := options(quiet{})
	opts.Source = s
	opts.Dataplanes = map[gatewayv1.GatewayController]dataplanes.Dataplane{controller: plane}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- engine.New(opts).Run(ctx) }()
	s.batches <- source.Batch{Events: manyObjects()}
	<-plane.applied
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		s.batches <- source.Batch{Events: []resources.Event{event(n)}}
		<-plane.applied
	}
	b.StopTimer()
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

func BenchmarkOneRouteChanged(b *testing.B) {
	benchmark(b, func(n int) resources.Event { return httpRoute(n%manyRoutes, fmt.Sprintf("/w%d", n)) })
}

func BenchmarkOneRouteAdded(b *testing.B) {
	benchmark(b, func(n int) resources.Event { return httpRoute(manyRoutes+n, "/") })
}

func BenchmarkEndpointEvent(b *testing.B) {
	benchmark(b, func(n int) resources.Event { return slice(n%1000, fmt.Sprintf("10.1.%d.%d", n>>8&255, n&255)) })
}

// BenchmarkForeignRouteAdded is what a route of another controller costs, beside
// BenchmarkOneRouteAdded: a look-up, and nothing that is told.
func BenchmarkForeignRouteAdded(b *testing.B) {
	plane, s := newHeld(), &script{batches: make(chan source.Batch)}
	opts := options(quiet{})
	opts.Source, opts.Unclaimed = s, nil
	opts.Dataplanes = map[gatewayv1.GatewayController]dataplanes.Dataplane{controller: plane}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := engine.New(opts)
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	s.batches <- source.Batch{Events: manyObjects()}
	<-plane.applied
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		event := httpRoute(manyRoutes+n, "/")
		route := *event.Object.(*gatewayv1.HTTPRoute)
		route.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: "other"}}
		n++
		before := e.Counters.Rounds.Load()
		s.batches <- source.Batch{Events: []resources.Event{object(resources.HTTPRoute, &route)}}
		for e.Counters.Rounds.Load() == before {
			runtime.Gosched()
		}
	}
	b.StopTimer()
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
