package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/test/e2e/rig"
	"github.com/sluice-gateway/sluice/test/load"
)

const busy = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: busy}
spec:
  gatewayClassName: $NS
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS, hostname: busy.example, tls: {certificateRefs: [{name: tls}]}}
%s
`

// edited answers with the number of its edit, so that a client sees which one is
// served.
const edited = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: busy}
spec:
  parentRefs: [{name: busy}]
  hostnames: [busy.example, more.example]
  rules:
  - filters:
    - type: ResponseHeaderModifier
      responseHeaderModifier: {set: [{name: x-edit, value: "%d"}]}
    backendRefs: [{name: shop, port: 80}]
`

// called is of clients that call by gRPC, and stays as it is.
const called = `
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: busy}
spec:
  parentRefs: [{name: busy, sectionName: http}]
  hostnames: [grpc.example]
  rules: [{backendRefs: [{name: shop, port: 81}]}]
`

// bustling is what parameters have beside pods.
const bustling = "proxy: {http3: {enabled: true}}"

// bustle is a Gateway under load, and what must not happen to it meanwhile.
type bustle struct {
	ns, address string
	clients     []*load.Client
	halt        func()
	records     map[string]*rig.Record
	edits       int

	// pods are the backend's, and slice has one of them in turn.
	pods  []corev1.Pod
	slice *discoveryv1.EndpointSlice
	swaps int
	// reloads is how often HAProxy of any pod may have been reloaded. Each may end a
	// connection of a client that it was about to use; those that try again lose
	// nothing.
	reloads int64
}

// allow has clients take that a reload of HAProxy ends connections.
func (b *bustle) allow(names ...string) {
	for _, c := range b.clients {
		c.Ends = c.Ends || slices.Contains(names, c.Name)
	}
}

// newBustle begins the load on a dataplane: every client over the address of the
// load balancer.
func newBustle(t *testing.T, dataplane string) *bustle {
	t.Helper()
	b := &bustle{ns: sluice.Namespace(t)}
	certificate(t, b.ns, "tls", "busy.example", "more.example")
	classOf(t, b.ns, dataplane, 2, bustling)
	sluice.Backend(t, b.ns, "shop", 2)
	sluice.Apply(t, b.ns, fmt.Sprintf(busy, ""))
	sluice.Apply(t, b.ns, fmt.Sprintf(edited, 0)+"---"+called)
	b.address = rig.Address(t, sluice.Programmed(t, b.ns, "busy"))
	sluice.RouteAccepted(t, b.ns, "busy")
	serves(t, b.at("80"), "busy.example")
	servesTLS(t, b.at("443"), "busy.example")
	b.records = map[string]*rig.Record{
		"Gateways":             rig.Watch(t, sluice, b.ns, &gatewayv1.Gateway{}, staysProgrammed),
		"routes":               rig.Watch(t, sluice, b.ns, &gatewayv1.HTTPRoute{}, staysAccepted),
		"Deployments":          rig.Watch(t, sluice, b.ns, &appsv1.Deployment{}, stays[*appsv1.Deployment]),
		"Services":             rig.Watch(t, sluice, b.ns, &corev1.Service{}, stays[*corev1.Service]),
		"ServiceAccounts":      rig.Watch(t, sluice, b.ns, &corev1.ServiceAccount{}, stays[*corev1.ServiceAccount]),
		"ConfigMaps":           rig.Watch(t, sluice, b.ns, &corev1.ConfigMap{}, stays[*corev1.ConfigMap]),
		"PodDisruptionBudgets": rig.Watch(t, sluice, b.ns, &policyv1.PodDisruptionBudget{}, stays[*policyv1.PodDisruptionBudget]),
	}
	b.clients = load.Clients(load.Targets{
		Plain: b.at("80"), Secure: b.at("443"), QUIC: b.at("443"), Host: "busy.example", Path: "/", GRPC: "grpc.example", WebSocket: "/",
	}, nil)
	b.halt = load.Start(t.Context(), b.clients)
	return b
}

func (b *bustle) at(port string) string { return net.JoinHostPort(b.address, port) }

// edit changes the route and waits until a client has seen it: whoever leads
// works.
func (b *bustle) edit(t *testing.T) {
	t.Helper()
	b.edits++
	sluice.Apply(t, b.ns, fmt.Sprintf(edited, b.edits))
	b.seen(t)
}

// seen waits until a client is served by the last edit.
func (b *bustle) seen(t *testing.T) {
	t.Helper()
	var seen atomic.Int64
	rig.Eventually(t, fmt.Sprintf("edit %d to be served", b.edits), func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.at("80")+"/", nil)
		if err != nil {
			return err
		}
		r.Host = "busy.example"
		answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if got := answer.Header.Get("x-edit"); got != fmt.Sprint(b.edits) {
			return fmt.Errorf("after %d other answers it is %q", seen.Add(1), got)
		}
		return nil
	})
}

// end stops the load and says what went wrong.
func (b *bustle) end(t *testing.T) {
	t.Helper()
	b.halt()
	t.Logf("%d edits\n%s", b.edits, load.Counts(b.clients))
	if err := load.Err(b.clients); err != nil {
		t.Error(err)
	}
	for _, c := range b.clients {
		if c.Ended() > b.reloads {
			t.Errorf("%s: connections ended under %d requests, and HAProxy was reloaded at most %d times", c.Name, c.Ended(), b.reloads)
		}
	}
	for what, record := range b.records {
		for _, broken := range record.Broken() {
			t.Errorf("%s: %s", what, broken)
		}
	}
}

// staysProgrammed is broken by a Gateway that goes, or that ceases to be
// Programmed.
func staysProgrammed(before, after *gatewayv1.Gateway) string {
	if after == nil {
		return "the Gateway " + before.Name + " is gone"
	}
	if c := meta.FindStatusCondition(after.Status.Conditions, "Programmed"); c == nil || c.Status != metav1.ConditionTrue {
		return "the Gateway ceases to be Programmed:\n" + rig.Describe(after)
	}
	return ""
}

func staysAccepted(before, after *gatewayv1.HTTPRoute) string {
	if after == nil {
		return "the route " + before.Name + " is gone"
	}
	if before == nil {
		return ""
	}
	for _, parent := range after.Status.Parents {
		for _, c := range parent.Conditions {
			if (c.Type == "Accepted" || c.Type == "ResolvedRefs") && c.Status != metav1.ConditionTrue {
				return fmt.Sprintf("the route %s is not %s: %s", after.Name, c.Type, c.Message)
			}
		}
	}
	if len(after.Status.Parents) == 0 {
		return "the route " + after.Name + " has no parents in its status"
	}
	return ""
}

// stays is broken by an object of Sluice's that is deleted.
func stays[T client.Object](before, after T) string {
	var none T
	if any(after) != any(none) {
		return ""
	}
	if before.GetLabels()["app.kubernetes.io/managed-by"] != "sluice" {
		return ""
	}
	return fmt.Sprintf("%T %s was deleted", before, before.GetName())
}

// The operator is killed and hands over under load, again and again: nothing
// fails, nothing is deleted, no status lies, and the next change is served.
func TestOperatorComesAndGoes(t *testing.T) {
	kills, handovers := 2, 1
	if *long {
		kills, handovers = 20, 10
	}
	b := newBustle(t, "go")
	for range kills {
		leader := leads(t)
		if err := sluice.Kill(leader); err != nil {
			t.Fatal(err)
		}
		sluice.Restarted(t, leader)
		b.edit(t)
	}
	for range handovers {
		leader := leads(t)
		if err := sluice.Client.Delete(t.Context(), leader); err != nil {
			t.Fatal(err)
		}
		sluice.NewLeader(t, leader.Name)
		b.edit(t)
	}
	// The keys are those that were there before: TLS is served at a new listener.
	sluice.Apply(t, b.ns, fmt.Sprintf(busy, "  - {name: more, port: 8443, protocol: HTTPS, hostname: more.example, tls: {certificateRefs: [{name: tls}]}}"))
	servesTLS(t, b.at("8443"), "more.example")
	b.end(t)
}

// leads returns the pod of the leader, once there is one.
func leads(t *testing.T) *corev1.Pod {
	t.Helper()
	var leader *corev1.Pod
	rig.Eventually(t, "a leader", func(ctx context.Context) error {
		var err error
		leader, err = sluice.Leader(ctx)
		return err
	})
	return leader
}
