package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/test/e2e/rig"
	"github.com/sluice-gateway/sluice/test/load"
)

// amounts are how often each change is made.
type amounts struct{ flips, reorders, swaps, kills, restarts int }

func asked(short amounts) amounts {
	if *long {
		return amounts{flips: 100, reorders: 100, swaps: 100, kills: 20, restarts: 10}
	}
	return short
}

// A Gateway is changed in every way that users and nodes change one, under the
// load of every kind of client, and no request fails.
func TestEnvoyLosesNothing(t *testing.T) {
	losesNothing(t, "envoy", asked(amounts{flips: 10, reorders: 10, swaps: 10, kills: 1, restarts: 1}))
}

// The same of HAProxy.
func TestHAProxyLosesNothing(t *testing.T) {
	losesNothing(t, "haproxy", asked(amounts{flips: 10, reorders: 10, swaps: 10, kills: 1, restarts: 1}))
}

// The same of the Go proxy; in short, what other tests do not do with it already.
func TestGoLosesNothing(t *testing.T) {
	losesNothing(t, "go", asked(amounts{flips: 1, restarts: 1}))
}

func losesNothing(t *testing.T, dataplane string, n amounts) {
	t.Helper()
	b := newBustle(t, dataplane)
	if dataplane == "haproxy" {
		b.allow("raw without retries", "h3")
	}
	b.handEndpoints(t)
	for range n.flips {
		b.flip(t)
	}
	b.fine(t, "flips of the route")
	for range n.reorders {
		b.reorder(t)
	}
	b.fine(t, "reorders of rules")
	for range n.swaps {
		b.swap(t)
	}
	b.fine(t, "swaps of endpoints")
	for range n.kills {
		b.kill(t)
	}
	b.fine(t, "kills of the operator")
	for range n.restarts {
		b.restart(t)
	}
	b.end(t)
}

// fine says after which change it was that a request failed.
func (b *bustle) fine(t *testing.T, after string) {
	t.Helper()
	if load.AnyFailed(b.clients) {
		b.end(t)
		t.Fatalf("that was after the %s", after)
	}
}

const ruled = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: busy}
spec:
  parentRefs: [{name: busy}]
  hostnames: [busy.example, more.example]
  rules:
`

// rules are those of a route that serves a path by one backend, and others that
// nobody asks for.
func (b *bustle) rules(paths []string, backend string) string {
	var text strings.Builder
	text.WriteString(ruled)
	for _, path := range paths {
		fmt.Fprintf(&text, `  - matches: [{path: {value: %s}}]
    filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-edit, value: "%d"}]}}]
    backendRefs: [{name: %s, port: 80}]
`, path, b.edits, backend)
	}
	return text.String()
}

// handEndpoints adds a Service whose endpoints are written by hand.
func (b *bustle) handEndpoints(t *testing.T) {
	t.Helper()
	sluice.Apply(t, b.ns, `
apiVersion: v1
kind: Service
metadata: {name: manual}
spec:
  ports: [{name: http, port: 80, targetPort: 3000}]
`)
	b.pods = backendPods(t, b.ns)
	b.slice = endpointSlice(b.ns)
	setEndpoint(b.slice, b.pods[0])
	if err := sluice.Client.Create(t.Context(), b.slice); err != nil {
		t.Fatal(err)
	}
}

// flip leads the route to the other Service.
func (b *bustle) flip(t *testing.T) {
	t.Helper()
	b.structural()
	sluice.Apply(t, b.ns, b.rules([]string{"/"}, []string{"shop", "manual"}[b.edits%2]))
	b.seen(t)
}

// structural counts an edit that HAProxy is reloaded for, in both pods.
func (b *bustle) structural() {
	b.edits++
	b.reloads += 2
}

// reorder puts the last rule first.
func (b *bustle) reorder(t *testing.T) {
	t.Helper()
	b.structural()
	paths := []string{"/", "/a", "/b", "/a/b"}
	at := b.edits % len(paths)
	sluice.Apply(t, b.ns, b.rules(append(paths[at:len(paths):len(paths)], paths[:at]...), "manual"))
	b.seen(t)
}

// swap gives the Service whose endpoints are written by hand the other one, and
// waits until every pod of the Gateway serves by it.
func (b *bustle) swap(t *testing.T) {
	t.Helper()
	b.swaps++
	to := b.pods[b.swaps%len(b.pods)]
	setEndpoint(b.slice, to)
	if err := sluice.Client.Update(t.Context(), b.slice); err != nil {
		t.Fatal(err)
	}
	untilServed(t, podsOf(t, b.ns, "busy"), "busy.example", to.Name)
}

// kill ends the operator that leads as a lack of memory does.
func (b *bustle) kill(t *testing.T) {
	t.Helper()
	leader := leads(t)
	if err := sluice.Kill(leader); err != nil {
		t.Fatal(err)
	}
	sluice.Restarted(t, leader)
	b.flip(t)
}

// restart replaces the Gateway's pods as `kubectl rollout restart` does, and waits
// until the old ones are gone.
func (b *bustle) restart(t *testing.T) {
	t.Helper()
	before := map[types.UID]bool{}
	for _, pod := range podsOf(t, b.ns, "busy") {
		before[pod.UID] = true
	}
	var all appsv1.DeploymentList
	if err := sluice.Client.List(t.Context(), &all, client.InNamespace(b.ns), client.MatchingLabels{gatewayv1.GatewayNameLabelKey: "busy"}); err != nil {
		t.Fatal(err)
	}
	patch := client.RawPatch(types.StrategicMergePatchType,
		fmt.Appendf(nil, `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":%q}}}}}`, time.Now().Format(time.RFC3339Nano)))
	if err := sluice.Client.Patch(t.Context(), &all.Items[0], patch); err != nil {
		t.Fatal(err)
	}
	rig.Eventually(t, "other pods of the Gateway, and those alone", func(ctx context.Context) error {
		var pods corev1.PodList
		if err := sluice.Client.List(ctx, &pods, client.InNamespace(b.ns), client.MatchingLabels{gatewayv1.GatewayNameLabelKey: "busy"}); err != nil {
			return err
		}
		for _, pod := range pods.Items {
			if before[pod.UID] {
				return fmt.Errorf("%s is still there", pod.Name)
			}
		}
		return nil
	})
	// Pods that go tell clients of HTTP/2 so by a reload.
	b.reloads += 2
	b.flip(t)
}
