package e2e

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/test/cluster/audit"
	"github.com/sluice-gateway/sluice/test/e2e/rig"
)

//go:embed testdata/broken.yaml
var broken string

// Objects that cannot work say so, and hold up nobody else: a route beside them
// is served, and so are its changes and a Gateway that comes later.
func TestBrokenObjectsHoldUpNobody(t *testing.T) {
	ns := sluice.Namespace(t)
	sluice.Backend(t, ns, "shop", 1)
	sluice.Apply(t, ns, broken)
	sluice.Apply(t, ns, fmt.Sprintf(plain, "good", "good.example"))
	address := net.JoinHostPort(rig.Address(t, sluice.Programmed(t, ns, "good")), "80")
	serves(t, address, "good.example")
	sluice.Apply(t, ns, fmt.Sprintf(plain, "good", "changed.example"))
	serves(t, address, "changed.example")
	sluice.Apply(t, ns, fmt.Sprintf(plain, "later", "later.example"))
	serves(t, net.JoinHostPort(rig.Address(t, sluice.Programmed(t, ns, "later")), "80"), "later.example")
	var routes gatewayv1.HTTPRouteList
	if err := sluice.Client.List(t.Context(), &routes, client.InNamespace(ns), client.MatchingLabels{"broken": "true"}); err != nil {
		t.Fatal(err)
	}
	for i := range routes.Items {
		complains(t, &routes.Items[i])
	}
}

// complains waits until a broken route's status says what is wrong with it.
func complains(t *testing.T, route *gatewayv1.HTTPRoute) {
	t.Helper()
	rig.Eventually(t, "a complaint about the route "+route.Name, func(ctx context.Context) error {
		if err := sluice.Client.Get(ctx, client.ObjectKeyFromObject(route), route); err != nil {
			return err
		}
		for _, parent := range route.Status.Parents {
			for _, c := range parent.Conditions {
				if c.Status == metav1.ConditionFalse || c.Type == "PartiallyInvalid" && c.Status == metav1.ConditionTrue {
					return nil
				}
			}
		}
		return fmt.Errorf("its parents are %+v", route.Status.Parents)
	})
}

// others fills a route's status with as many parents of other controllers as the
// CRD takes.
func others(count int) []gatewayv1.RouteParentStatus {
	var parents []gatewayv1.RouteParentStatus
	for i := range count {
		parents = append(parents, gatewayv1.RouteParentStatus{
			ParentRef:      gatewayv1.ParentReference{Name: gatewayv1.ObjectName(fmt.Sprintf("other-%02d", i))},
			ControllerName: "example.com/other",
			Conditions: []metav1.Condition{{
				Type: "Accepted", Status: metav1.ConditionTrue, Reason: "Accepted", LastTransitionTime: metav1.Now(),
			}},
		})
	}
	return parents
}

// writes counts what the operator wrote into the status of a route since a
// moment, whatever came of it.
func writes(t testing.TB, ns, name string, since time.Time) int {
	t.Helper()
	count := 0
	for _, err := range sluice.Audit(audit.Filter{
		Users: []string{rig.OperatorUser}, Verbs: audit.Writes, Resources: []string{"httproutes/status"},
		Namespace: ns, Name: name, Since: since,
	}) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	return count
}

// A status that others have filled up has no room for ours. That is no reason to
// try for ever: the route is served, and later ones have their statuses.
func TestFullStatusDoesNotLoop(t *testing.T) {
	ns := sluice.Namespace(t)
	sluice.Backend(t, ns, "shop", 1)
	sluice.Apply(t, ns, fmt.Sprintf(plain, "first", "first.example"))
	address := net.JoinHostPort(rig.Address(t, sluice.Programmed(t, ns, "first")), "80")
	sluice.RouteAccepted(t, ns, "first")
	fill(t, ns, "first")
	since := time.Now()
	sluice.Apply(t, ns, fmt.Sprintf(plain, "first", "full.example"))
	serves(t, address, "full.example")
	const rounds = 10
	for i := range rounds {
		name := fmt.Sprintf("next-%d", i)
		sluice.Apply(t, ns, fmt.Sprintf(another, name, name+".example"))
		sluice.RouteAccepted(t, ns, name)
	}
	if n := writes(t, ns, "first", since); n > rounds {
		t.Errorf("%d writes into a status that has no room, while %d other routes came", n, rounds)
	}
}

// another is a route to the Gateway that the first one made.
const another = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: %[1]s}
spec:
  parentRefs: [{name: first}]
  hostnames: [%[2]s]
  rules: [{backendRefs: [{name: shop, port: 80}]}]
`

func fill(t testing.TB, ns, name string) {
	t.Helper()
	rig.Eventually(t, "others to fill the status", func(ctx context.Context) error {
		var route gatewayv1.HTTPRoute
		if err := sluice.Client.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, &route); err != nil {
			return err
		}
		route.Status.Parents = others(32)
		return sluice.Client.Status().Update(ctx, &route)
	})
}

// Somebody writes into a route's status over and over while the route changes:
// each of our writes may meet a conflict. In the end the status is right, theirs
// is kept, and there is quiet.
func TestConflictsSettle(t *testing.T) {
	ns := sluice.Namespace(t)
	sluice.Backend(t, ns, "shop", 1)
	sluice.Apply(t, ns, fmt.Sprintf(plain, "first", "first.example"))
	sluice.Programmed(t, ns, "first")
	sluice.RouteAccepted(t, ns, "first")
	since := time.Now()
	touched, stop := make(chan int), make(chan struct{})
	go func() { touched <- storm(t.Context(), ns, stop) }()
	const edits = 30
	for i := range edits {
		sluice.Apply(t, ns, fmt.Sprintf(plain, "first", fmt.Sprintf("edit-%d.example", i)))
	}
	settled(t, ns)
	close(stop)
	theirs := <-touched
	settled(t, ns)
	t.Logf("%d writes of theirs, %d edits, %d writes of ours", theirs, edits, writes(t, ns, "first", since))
	if n := writes(t, ns, "first", since); n > theirs+2*edits+10 {
		t.Errorf("%d writes of ours for %d edits and %d writes of theirs", n, edits, theirs)
	}
	quiet := time.Now()
	for i := range 5 {
		name := fmt.Sprintf("next-%d", i)
		sluice.Apply(t, ns, fmt.Sprintf(another, name, name+".example"))
		sluice.RouteAccepted(t, ns, name)
	}
	if n := writes(t, ns, "first", quiet); n > 0 {
		t.Errorf("%d writes into a status that nobody touches any more", n)
	}
}

// storm writes an entry of its own into the status until it is stopped, and
// returns how often it did.
func storm(ctx context.Context, ns string, stop <-chan struct{}) int {
	count := 0
	for {
		select {
		case <-stop:
			return count
		default:
		}
		var route gatewayv1.HTTPRoute
		if err := sluice.Client.Get(ctx, client.ObjectKey{Namespace: ns, Name: "first"}, &route); err != nil {
			return count
		}
		theirs := others(1)[0]
		theirs.Conditions[0].Message = fmt.Sprint("write ", count)
		route.Status.Parents = append(without(route.Status.Parents, theirs.ControllerName), theirs)
		if err := sluice.Client.Status().Update(ctx, &route); err == nil {
			count++
		} else if !apierrors.IsConflict(err) {
			return count
		}
	}
}

func without(parents []gatewayv1.RouteParentStatus, controller gatewayv1.GatewayController) []gatewayv1.RouteParentStatus {
	var rest []gatewayv1.RouteParentStatus
	for _, p := range parents {
		if p.ControllerName != controller {
			rest = append(rest, p)
		}
	}
	return rest
}

// settled waits until both parties' entries are there, and ours is of the last
// edit.
func settled(t *testing.T, ns string) {
	t.Helper()
	rig.Eventually(t, "the status to settle", func(ctx context.Context) error {
		var route gatewayv1.HTTPRoute
		if err := sluice.Client.Get(ctx, client.ObjectKey{Namespace: ns, Name: "first"}, &route); err != nil {
			return err
		}
		if len(route.Status.Parents) != 2 {
			return fmt.Errorf("there are %d parents, want ours and theirs", len(route.Status.Parents))
		}
		ours := without(route.Status.Parents, "example.com/other")
		if len(ours) != 1 {
			return errors.New("ours is not there")
		}
		for _, c := range ours[0].Conditions {
			if c.ObservedGeneration != route.Generation {
				return fmt.Errorf("%s is of generation %d, the route of %d", c.Type, c.ObservedGeneration, route.Generation)
			}
		}
		return nil
	})
}

// A Secret that is no certificate closes its listener alone, and opens it when it
// is put right.
func TestBrokenCertificate(t *testing.T) {
	ns := sluice.Namespace(t)
	sluice.Backend(t, ns, "shop", 1)
	bad := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "tls"}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: []byte("no"), corev1.TLSPrivateKeyKey: []byte("no")},
	}
	if err := sluice.Client.Create(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	sluice.Apply(t, ns, fmt.Sprintf(halfBroken, ns))
	rig.Eventually(t, "a complaint about the certificate", func(ctx context.Context) error {
		var gateway gatewayv1.Gateway
		if err := sluice.Client.Get(ctx, client.ObjectKey{Namespace: ns, Name: "half"}, &gateway); err != nil {
			return err
		}
		for _, l := range gateway.Status.Listeners {
			for _, c := range l.Conditions {
				if l.Name == "https" && c.Type == "ResolvedRefs" && c.Status == metav1.ConditionFalse && c.Reason == "InvalidCertificateRef" {
					return nil
				}
			}
		}
		return fmt.Errorf("its listeners are %+v", gateway.Status.Listeners)
	})
	address := rig.Address(t, sluice.Programmed(t, ns, "half"))
	serves(t, net.JoinHostPort(address, "80"), "half.example")
	if err := sluice.Client.Delete(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	certificate(t, ns, "tls", "half.example")
	servesTLS(t, net.JoinHostPort(address, "443"), "half.example")
}

const halfBroken = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: half, namespace: %s}
spec:
  gatewayClassName: sluice
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: tls}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: half}
spec:
  parentRefs: [{name: half}]
  rules: [{backendRefs: [{name: shop, port: 80}]}]
`
