package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/test/e2e/rig"
)

// A Gateway goes from each proxy to each other one under load: same address, no
// request fails, the old pods go, and so does what the old class said of routes.
func TestClassesAreSwitched(t *testing.T) {
	b := newBustle(t, "go")
	// Those of one class go, and those of the other come.
	delete(b.records, "Deployments")
	delete(b.records, "PodDisruptionBudgets")
	b.allow("h3")
	b.handEndpoints(t)
	b.flip(t)
	for _, dataplane := range switches() {
		class := b.class(t, dataplane)
		sluice.Apply(t, b.ns, strings.Replace(fmt.Sprintf(busy, ""), "gatewayClassName: $NS", "gatewayClassName: "+class, 1))
		rig.Eventually(t, "the pods of class "+class+", and those alone", func(ctx context.Context) error {
			return errors.Join(deployed(ctx, b.ns, class), b.answeredBy(ctx, dataplane))
		})
		// HAProxy's pods end their connections of HTTP/3 when they go.
		b.reloads += 2
		b.swap(t)
		if got := rig.Address(t, sluice.Programmed(t, b.ns, "busy")); got != b.address {
			t.Fatalf("the address was %s and is %s", b.address, got)
		}
		b.fine(t, "change to class "+class)
	}
	b.end(t)
}

// switches are the dataplanes to go to from that of Go, and back to it: each once
// in short, and from each to each other one in full. A proxy that this machine has
// not is left out.
func switches() []string {
	way := []string{"envoy", "haproxy", "go"}
	if *long {
		way = append(way, "haproxy", "envoy", "go")
	}
	last := "go"
	return slices.DeleteFunc(way, func(dataplane string) bool {
		if !sluice.Has(dataplane) || dataplane == last {
			return true
		}
		last = dataplane
		return false
	})
}

// class returns a class of a dataplane that is as the first one but for that.
func (b *bustle) class(t *testing.T, dataplane string) string {
	t.Helper()
	if dataplane == "go" {
		return b.ns
	}
	name := b.ns + "-" + dataplane
	err := sluice.Client.Get(t.Context(), client.ObjectKey{Name: name}, &gatewayv1.GatewayClass{})
	if err == nil {
		return name
	}
	if !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	named := strings.NewReplacer("name: $NS}", "name: "+name+"}", "name: params", "name: "+dataplane)
	sluice.Apply(t, b.ns, named.Replace(fmt.Sprintf(parameters, dataplane, 2, bustling)))
	t.Cleanup(func() { dropClass(t, name) })
	return name
}

// answeredBy is nil where routes have an answer of a dataplane's controller, and
// none of another's.
func (b *bustle) answeredBy(ctx context.Context, dataplane string) error {
	var plain gatewayv1.HTTPRoute
	var calls gatewayv1.GRPCRoute
	key := client.ObjectKey{Namespace: b.ns, Name: "busy"}
	if err := errors.Join(sluice.Client.Get(ctx, key, &plain), sluice.Client.Get(ctx, key, &calls)); err != nil {
		return err
	}
	for _, parents := range [][]gatewayv1.RouteParentStatus{plain.Status.Parents, calls.Status.Parents} {
		if len(parents) != 1 {
			return fmt.Errorf("a route has %d answers of its parent", len(parents))
		}
		if got := parents[0].ControllerName; got != gatewayv1.GatewayController("sluice.dev/"+dataplane) {
			return fmt.Errorf("a route's answer is of %s", got)
		}
	}
	return nil
}

// deployed is nil where a namespace has but the Deployment of one class, that is
// complete, and no pod of another.
func deployed(ctx context.Context, ns, class string) error {
	var all appsv1.DeploymentList
	var pods corev1.PodList
	if err := errors.Join(sluice.Client.List(ctx, &all, client.InNamespace(ns), managed), sluice.Client.List(ctx, &pods, client.InNamespace(ns), managed)); err != nil {
		return err
	}
	if len(all.Items) != 1 || all.Items[0].Labels[gatewayv1.GatewayClassNameLabelKey] != class {
		return fmt.Errorf("there are %d Deployments", len(all.Items))
	}
	if d := all.Items[0]; d.Status.AvailableReplicas != *d.Spec.Replicas {
		return fmt.Errorf("%d of %d pods serve", d.Status.AvailableReplicas, *d.Spec.Replicas)
	}
	for _, pod := range pods.Items {
		if pod.Labels[gatewayv1.GatewayClassNameLabelKey] != class {
			return fmt.Errorf("the pod %s is still there", pod.Name)
		}
	}
	return nil
}

const withImage = `
apiVersion: sluice.dev/v1alpha1
kind: GatewayParameters
metadata: {name: params, namespace: $NS}
spec: {pods: {replicas: 2, image: %q}}
`

// An image without the proxy is told of in the Gateway's status, and its pods do
// not take the place of those that serve.
func TestAnImageWithoutTheProxy(t *testing.T) {
	for dataplane, name := range map[string]string{"envoy": "Envoy", "haproxy": "HAProxy"} {
		t.Run(dataplane, func(t *testing.T) { refusesTheImage(t, dataplane, "there is no "+name+" here") })
	}
}

func refusesTheImage(t *testing.T, dataplane, why string) {
	t.Helper()
	ns := sluice.Namespace(t)
	classOf(t, ns, dataplane, 2, "")
	sluice.Backend(t, ns, "shop", 1)
	sluice.Apply(t, ns, fmt.Sprintf(classed, ""))
	address := rig.Address(t, sluice.Programmed(t, ns, "gateway")) + ":80"
	serves(t, address, "any.example")
	sluice.Apply(t, ns, fmt.Sprintf(withImage, sluice.ProxyImage()))
	rig.Eventually(t, "the Gateway to say that "+why, func(ctx context.Context) error {
		var gateway gatewayv1.Gateway
		if err := sluice.Client.Get(ctx, client.ObjectKey{Namespace: ns, Name: "gateway"}, &gateway); err != nil {
			return err
		}
		if said := rig.Describe(&gateway); !strings.Contains(said, why) {
			return errors.New(said)
		}
		return nil
	})
	if n := len(podsOf(t, ns, "gateway")); n != 2 {
		t.Errorf("%d pods are ready, want the 2 that there were", n)
	}
	serves(t, address, "any.example")
}
