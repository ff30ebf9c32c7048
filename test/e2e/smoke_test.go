package e2e

import (
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/test/e2e/rig"
)

//go:embed testdata/everything.yaml
var everything string

// Every kind of listener at the address that the load balancer gave, and a status
// that says Programmed no sooner than the pods answer.
func TestEverythingIsServed(t *testing.T) {
	for _, dataplane := range []string{"go", "envoy", "haproxy"} {
		t.Run(dataplane, func(t *testing.T) { servesEverything(t, dataplane) })
	}
}

func servesEverything(t *testing.T, dataplane string) {
	t.Helper()
	ns := sluice.Namespace(t)
	classOf(t, ns, dataplane, 2, "")
	certificate(t, ns, "tls", "shop.example", "pass.example")
	sluice.Backend(t, ns, "shop", 2)
	sluice.Apply(t, ns, everything)
	gateway := sluice.Programmed(t, ns, "everything")
	answersNow(t, ns, "everything")
	address := rig.Address(t, gateway)
	serves(t, net.JoinHostPort(address, "80"), "shop.example")
	servesTLS(t, net.JoinHostPort(address, "443"), "shop.example")
	servesTLS(t, net.JoinHostPort(address, "8443"), "shop.example")
	echoesTCP(t, net.JoinHostPort(address, "9000"))
	echoesUDP(t, net.JoinHostPort(address, "9000"))
	for _, pod := range podsOf(t, ns, "everything") {
		confined(t, &pod)
		if got, want := listening(t, &pod), []int{80, 443, 8443, 9000, 19001}; !slices.Equal(got, want) {
			t.Errorf("%s is reached at the ports %v, want %v: those of listeners, and the one of metrics", pod.Name, got, want)
		}
	}
}

// listening returns the ports of TCP at which somebody listens in a pod, ordered,
// but for those that the pod alone reaches.
func listening(t *testing.T, pod *corev1.Pod) []int {
	t.Helper()
	pids, err := rig.Processes(pod)
	if err != nil {
		t.Fatal(err)
	}
	var ports []int
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pids[0], table))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			const listens, loopback = "0A", "0100007F"
			address, number, _ := strings.Cut(fields[1], ":")
			if fields[3] != listens || address == loopback {
				continue
			}
			port, err := strconv.ParseInt(number, 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			ports = append(ports, int(port))
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// answersNow asks the pods themselves, once: whoever reads Programmed=True may
// rely on it that very moment. The way through the Service is the cluster's.
func answersNow(t *testing.T, ns, gateway string) {
	t.Helper()
	pods := podsOf(t, ns, gateway)
	if len(pods) == 0 {
		t.Error("a Gateway is Programmed that has no pod")
	}
	for _, pod := range pods {
		if _, err := once(t.Context(), net.JoinHostPort(pod.Status.PodIP, "80"), "shop.example", "/"); err != nil {
			t.Errorf("the Gateway is Programmed, and its pod %s does not answer: %v", pod.Name, err)
		}
	}
}

// podsOf returns the ready pods of a Gateway.
func podsOf(t testing.TB, ns, gateway string) []corev1.Pod {
	t.Helper()
	var list corev1.PodList
	if err := sluice.Client.List(t.Context(), &list, client.InNamespace(ns), client.MatchingLabels{gatewayv1.GatewayNameLabelKey: gateway}); err != nil {
		t.Fatal(err)
	}
	var ready []corev1.Pod
	for _, pod := range list.Items {
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil {
				ready = append(ready, pod)
			}
		}
	}
	return ready
}

const plain = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: %[1]s}
spec:
  gatewayClassName: sluice
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: %[1]s}
spec:
  parentRefs: [{name: %[1]s}]
  hostnames: [%[2]s]
  rules: [{backendRefs: [{name: shop, port: 80}]}]
`

// Two Gateways have an address each, and neither serves the other's routes.
func TestTwoGateways(t *testing.T) {
	ns := sluice.Namespace(t)
	sluice.Backend(t, ns, "shop", 1)
	hosts := map[string]string{"one": "one.example", "two": "two.example"}
	addresses := map[string]string{}
	for name, host := range hosts {
		sluice.Apply(t, ns, fmt.Sprintf(plain, name, host))
	}
	for name := range hosts {
		addresses[name] = net.JoinHostPort(rig.Address(t, sluice.Programmed(t, ns, name)), "80")
	}
	if addresses["one"] == addresses["two"] {
		t.Fatalf("both Gateways have the address %s", addresses["one"])
	}
	for name, host := range hosts {
		serves(t, addresses[name], host)
	}
	if err := errors.Join(wantStatus(t.Context(), addresses["one"], "two.example", http.StatusNotFound),
		wantStatus(t.Context(), addresses["two"], "one.example", http.StatusNotFound)); err != nil {
		t.Error(err)
	}
}

const classed = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: $NS
  addresses: [%s]
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: route}
spec:
  parentRefs: [{name: gateway}]
  rules: [{backendRefs: [{name: shop, port: 80}]}]
`

// Services of the other types are reached as their status says.
func TestServiceTypes(t *testing.T) {
	for _, kind := range []corev1.ServiceType{corev1.ServiceTypeNodePort, corev1.ServiceTypeClusterIP} {
		t.Run(string(kind), func(t *testing.T) {
			ns := sluice.Namespace(t)
			ownClass(t, ns, 1, "service: {type: "+string(kind)+"}")
			sluice.Backend(t, ns, "shop", 1)
			sluice.Apply(t, ns, fmt.Sprintf(classed, ""))
			gateway := sluice.Programmed(t, ns, "gateway")
			service := serviceOf(t, ns, "gateway")
			if service.Spec.Type != kind {
				t.Fatalf("the Service is of type %s, want %s", service.Spec.Type, kind)
			}
			port := service.Spec.Ports[0].Port
			if kind == corev1.ServiceTypeNodePort {
				port = service.Spec.Ports[0].NodePort
			}
			for _, address := range gateway.Status.Addresses {
				serves(t, net.JoinHostPort(address.Value, fmt.Sprint(port)), "any.example")
			}
			rig.Address(t, gateway)
		})
	}
}

func serviceOf(t testing.TB, ns, gateway string) *corev1.Service {
	t.Helper()
	var list corev1.ServiceList
	if err := sluice.Client.List(t.Context(), &list, client.InNamespace(ns), client.MatchingLabels{gatewayv1.GatewayNameLabelKey: gateway}); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 1 {
		t.Fatalf("Gateway %s has %d Services, want one", gateway, len(list.Items))
	}
	return &list.Items[0]
}

// An address that is asked for is the one that is given; one that nobody has is
// AddressNotUsable, until the Gateway asks for another one.
func TestStaticAddresses(t *testing.T) {
	ns := sluice.Namespace(t)
	ownClass(t, ns, 1, "service: {addressAnnotation: metallb.io/loadBalancerIPs}")
	sluice.Backend(t, ns, "shop", 1)
	sluice.Apply(t, ns, fmt.Sprintf(classed, "{type: IPAddress, value: 198.51.100.1}"))
	sluice.Condition(t, ns, "gateway", metav1.Condition{Type: "Programmed", Status: metav1.ConditionFalse, Reason: "AddressNotUsable"})
	want := sluice.Plan().Static()[0].Addr().Next().Next().String()
	sluice.Apply(t, ns, fmt.Sprintf(classed, "{type: IPAddress, value: "+want+"}"))
	gateway := sluice.Programmed(t, ns, "gateway")
	if got := rig.Address(t, gateway); got != want {
		t.Fatalf("the address is %s, asked for was %s", got, want)
	}
	serves(t, net.JoinHostPort(want, "80"), "any.example")
}
