package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-gateway/sluice/test/e2e/rig"
)

// A backend is scaled up and down under load, and no request fails.
func TestScalingLosesNothing(t *testing.T) {
	for _, dataplane := range []string{"go", "haproxy"} {
		t.Run(dataplane, func(t *testing.T) { scalingLosesNothing(t, dataplane) })
	}
}

func scalingLosesNothing(t *testing.T, dataplane string) {
	t.Helper()
	b := newBustle(t, dataplane)
	for _, replicas := range []int{4, 1, 3, 2} {
		sluice.Scale(t, b.ns, "shop", replicas)
		sluice.BackendReady(t, b.ns, "shop", replicas)
	}
	b.end(t)
}

// manual is a Service without pods of its own: who writes its EndpointSlice
// decides.
const manual = `
apiVersion: v1
kind: Service
metadata: {name: manual}
spec:
  ports: [{name: http, port: 80, targetPort: 3000}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: manual}
spec:
  parentRefs: [{name: busy}]
  hostnames: [manual.example]
  rules: [{backendRefs: [{name: manual, port: 80}]}]
`

// BenchmarkEndpoints measures how long it takes from the write of an
// EndpointSlice until every pod of a Gateway serves by it, and prints p50, p99
// and the worst. The way to the API server and back is in it.
func BenchmarkEndpoints(b *testing.B) {
	ns := sluice.Namespace(b)
	ownClass(b, ns, 2, "")
	sluice.Backend(b, ns, "shop", 2)
	sluice.Apply(b, ns, fmt.Sprintf(busyPlain, ns)+"---"+manual)
	sluice.Programmed(b, ns, "busy")
	backends := backendPods(b, ns)
	slice := endpointSlice(ns)
	setEndpoint(slice, backends[0])
	if err := sluice.Client.Create(b.Context(), slice); err != nil {
		b.Fatal(err)
	}
	proxies := podsOf(b, ns, "busy")
	untilServed(b, proxies, "manual.example", backends[0].Name)
	took := make([]time.Duration, 0, b.N)
	for i := 1; b.Loop(); i++ {
		to := backends[i%2]
		setEndpoint(slice, to)
		began := time.Now()
		if err := sluice.Client.Update(b.Context(), slice); err != nil {
			b.Fatal(err)
		}
		untilServed(b, proxies, "manual.example", to.Name)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[int(share*float64(len(took)-1))]) / float64(time.Millisecond)
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
}

const busyPlain = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: busy}
spec:
  gatewayClassName: %s
  listeners: [{name: http, port: 80, protocol: HTTP}]
`

func backendPods(t testing.TB, ns string) []corev1.Pod {
	t.Helper()
	var pods corev1.PodList
	if err := sluice.Client.List(t.Context(), &pods, client.InNamespace(ns), client.MatchingLabels{"app": "shop"}); err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) != 2 {
		t.Fatalf("there are %d backends, want 2", len(pods.Items))
	}
	return pods.Items
}

func endpointSlice(ns string) *discoveryv1.EndpointSlice {
	name, port, tcp := "http", int32(3000), corev1.ProtocolTCP
	return &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: ns, Name: "manual", Labels: map[string]string{discoveryv1.LabelServiceName: "manual"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &tcp}},
	}
}

func setEndpoint(slice *discoveryv1.EndpointSlice, pod corev1.Pod) {
	ready := true
	slice.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{pod.Status.PodIP}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}}
}

// untilServed asks every proxy, one request after the other, until a backend of
// this name has answered.
func untilServed(b testing.TB, proxies []corev1.Pod, host, name string) {
	b.Helper()
	for _, proxy := range proxies {
		for deadline := time.Now().Add(rig.Patience); ; {
			_, body, err := ask(b.Context(), "http://"+net.JoinHostPort(proxy.Status.PodIP, "80")+"/", host, nil)
			var answer struct{ Name string }
			if err == nil && json.Unmarshal(body, &answer) == nil && answer.Name == name {
				break
			}
			if time.Now().After(deadline) {
				b.Fatalf("%s does not serve by the EndpointSlice: %q, %v", proxy.Name, body, err)
			}
		}
	}
}
