package scale

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/test/cluster/audit"
	"github.com/sluice-gateway/sluice/test/e2e/rig"
)

var (
	keep  = flag.Bool("keep", false, "leave the cluster running for a look")
	count = flag.Int("routes", 1000, "how many routes to attach")
	quiet = flag.Duration("quiet", time.Minute, "how long nothing may be written afterwards")
)

// The bounds, for a thousand routes.
const (
	gatewayWrites = 50
	// workers create routes at once.
	workers = 8
)

var sluice *rig.Rig

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(rig.Main(m, rig.Options{Nodes: 1, Keep: *keep}, func(r *rig.Rig) { sluice = r }))
}

const gateways = `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: foreign}
spec: {controllerName: example.com/other}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: foreign}
spec:
  gatewayClassName: foreign
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: own}
spec:
  gatewayClassName: sluice
  listeners: [{name: http, port: 80, protocol: HTTP}]
`

// A thousand routes are attached: one write each, few for the Gateway, and then
// quiet. A thousand of another controller's cost no write, keep their status to
// the byte, and hardly any time.
func TestThousandRoutes(t *testing.T) {
	ns := sluice.Namespace(t)
	sluice.Backend(t, ns, "shop", 1)
	sluice.Apply(t, ns, gateways)
	sluice.Programmed(t, ns, "own")
	watcher := sluice.Watcher(t, ns)
	before := watcher()
	foreign := attachForeign(t, ns)
	watching := watcher() - before
	own := attachOwn(t, ns)
	t.Logf("CPU of the operator's two replicas: %s for %d own routes, %s for as many of others (%.1f %%, aimed at: under 3 %%); "+
		"a kubectl that does nothing but watch those: %s", own, *count, foreign, 100*float64(foreign)/float64(own), watching)
}

// attachOwn attaches routes to our Gateway and returns what that took of the
// operator's time.
func attachOwn(t *testing.T, ns string) time.Duration {
	t.Helper()
	since, before := time.Now(), sluice.CPU(t)
	create(t, ns, "own")
	last := time.Now()
	counted(t, ns)
	t.Logf("attachedRoutes was %d after %s (aimed at: 2s)", *count, time.Since(last).Round(time.Millisecond))
	for i := range *count {
		sluice.RouteAccepted(t, ns, name("own", i))
	}
	used := sluice.CPU(t) - before
	judge(t, ns, since)
	quietNow(t)
	return used
}

func judge(t *testing.T, ns string, since time.Time) {
	t.Helper()
	if n := total(writes(t, "gateways/status", ns, since)); n > gatewayWrites {
		t.Errorf("%d writes of the Gateway's status, may be %d", n, gatewayWrites)
	} else {
		t.Logf("%d writes of the Gateway's status (may be %d)", n, gatewayWrites)
	}
	routes := writes(t, "httproutes/status", ns, since)
	for route, n := range routes {
		if n != 1 {
			t.Errorf("%d writes of the status of %s, may be one", n, route)
		}
	}
	if len(routes) != *count {
		t.Errorf("the statuses of %d routes were written, want %d", len(routes), *count)
	}
}

// quietNow waits: that nothing is written in a time is a thing that only time
// shows.
func quietNow(t *testing.T) {
	t.Helper()
	since := time.Now()
	<-time.After(*quiet)
	for _, resource := range []string{"gateways/status", "httproutes/status"} {
		if n := total(writes(t, resource, "", since)); n > 0 {
			t.Errorf("%d writes of %s in the %s after all was said", n, resource, *quiet)
		}
	}
}

// attachForeign attaches routes with a status of theirs to another controller's
// Gateway.
func attachForeign(t *testing.T, ns string) time.Duration {
	t.Helper()
	since, before := time.Now(), sluice.CPU(t)
	create(t, ns, "foreign")
	told := statuses(t, ns)
	// A route of ours that is served says that all before it has been seen.
	sluice.Apply(t, ns, route(ns, "own", *count))
	sluice.RouteAccepted(t, ns, name("own", *count))
	used := sluice.CPU(t) - before
	for route, n := range writes(t, "httproutes/status", ns, since) {
		if strings.HasPrefix(route, "foreign-") {
			t.Errorf("%d writes of the status of %s, which is not ours", n, route)
		}
	}
	for key, version := range statuses(t, ns) {
		if told[key] != "" && told[key] != version {
			t.Errorf("%s was changed by somebody: its version was %s, is %s", key, told[key], version)
		}
	}
	route := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name("own", *count)}}
	if err := sluice.Client.Delete(t.Context(), route); err != nil {
		t.Fatal(err)
	}
	return used
}

// statuses returns the versions of the other controller's routes: who writes a
// byte into one changes its version.
func statuses(t *testing.T, ns string) map[string]string {
	t.Helper()
	var list gatewayv1.HTTPRouteList
	if err := sluice.Client.List(t.Context(), &list, client.InNamespace(ns)); err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for i := range list.Items {
		if string(list.Items[i].Spec.ParentRefs[0].Name) == "foreign" {
			versions[list.Items[i].Name] = list.Items[i].ResourceVersion
		}
	}
	return versions
}

// writes counts what the operator has written, by name.
func writes(t *testing.T, resource, ns string, since time.Time) map[string]int {
	t.Helper()
	names := map[string]int{}
	filter := audit.Filter{Users: []string{rig.OperatorUser}, Verbs: audit.Writes, Resources: []string{resource}, Namespace: ns, Since: since}
	for e, err := range sluice.Audit(filter) {
		if err != nil {
			t.Fatal(err)
		}
		names[e.ObjectRef.Name]++
	}
	return names
}

func total(names map[string]int) int {
	sum := 0
	for _, n := range names {
		sum += n
	}
	return sum
}

// counted waits until the Gateway's status counts every route.
func counted(t *testing.T, ns string) {
	t.Helper()
	rig.Eventually(t, "all routes to be counted", func(ctx context.Context) error {
		var gateway gatewayv1.Gateway
		if err := sluice.Client.Get(ctx, client.ObjectKey{Namespace: ns, Name: "own"}, &gateway); err != nil {
			return err
		}
		if n := int(gateway.Status.Listeners[0].AttachedRoutes); n != *count {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
}

func name(gateway string, i int) string { return fmt.Sprintf("%s-%04d", gateway, i) }

func route(ns, gateway string, i int) string {
	return fmt.Sprintf(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: %[1]s, namespace: %[3]s}
spec:
  parentRefs: [{name: %[2]s}]
  hostnames: [%[1]s.example]
  rules: [{backendRefs: [{name: shop, port: 80}]}]
`, name(gateway, i), gateway, ns)
}

// create makes the routes of a Gateway, several at once, and gives those of
// another controller a status.
func create(t *testing.T, ns, gateway string) {
	t.Helper()
	numbers := make(chan int)
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for i := range numbers {
				if err := createOne(t, ns, gateway, i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range *count {
		numbers <- i
	}
	close(numbers)
	working.Wait()
}

func createOne(t *testing.T, ns, gateway string, i int) error {
	t.Helper()
	object := rig.Parse(t, route(ns, gateway, i))[0]
	if err := sluice.Client.Create(t.Context(), object); err != nil {
		return err
	}
	if gateway != "foreign" {
		return nil
	}
	var made gatewayv1.HTTPRoute
	if err := sluice.Client.Get(t.Context(), client.ObjectKeyFromObject(object), &made); err != nil {
		return err
	}
	parent := gatewayv1.RouteParentStatus{ParentRef: made.Spec.ParentRefs[0], ControllerName: "example.com/other"}
	meta.SetStatusCondition(&parent.Conditions, metav1.Condition{
		Type: "Accepted", Status: metav1.ConditionTrue, Reason: "Accepted", ObservedGeneration: made.Generation,
	})
	made.Status.Parents = []gatewayv1.RouteParentStatus{parent}
	return sluice.Client.Status().Update(t.Context(), &made)
}
