package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/test/e2e/rig"
)

// A Gateway goes from the Go proxy to Envoy and back under load: same address, and
// no request fails.
func TestTheDataplaneChanges(t *testing.T) {
	b := newBustle(t, "go")
	// Those of one class go, and those of the other come.
	delete(b.records, "Deployments")
	delete(b.records, "PodDisruptionBudgets")
	other := b.ns + "-envoy"
	sluice.Needs(t, "envoy")
	sluice.Apply(t, b.ns, strings.NewReplacer("name: $NS}", "name: "+other+"}", "name: params", "name: other").Replace(fmt.Sprintf(parameters, "envoy", 2, "proxy: {http3: {enabled: true}}")))
	t.Cleanup(func() { dropClass(t, other) })
	for _, class := range []string{other, b.ns} {
		sluice.Apply(t, b.ns, strings.Replace(fmt.Sprintf(busy, ""), "gatewayClassName: $NS", "gatewayClassName: "+class, 1))
		rig.Eventually(t, "the pods of class "+class+", and those alone", func(ctx context.Context) error {
			return deployed(ctx, b.ns, class)
		})
		b.edit(t)
		if got := rig.Address(t, sluice.Programmed(t, b.ns, "busy")); got != b.address {
			t.Fatalf("the address was %s and is %s", b.address, got)
		}
		b.fine(t, "change to class "+class)
	}
	b.end(t)
}

// deployed is nil where a namespace has but the Deployment of one class, and that
// is complete.
func deployed(ctx context.Context, ns, class string) error {
	var all appsv1.DeploymentList
	if err := sluice.Client.List(ctx, &all, client.InNamespace(ns), managed); err != nil {
		return err
	}
	if len(all.Items) != 1 || all.Items[0].Labels[gatewayv1.GatewayClassNameLabelKey] != class {
		return fmt.Errorf("there are %d Deployments", len(all.Items))
	}
	if d := all.Items[0]; d.Status.AvailableReplicas != *d.Spec.Replicas {
		return fmt.Errorf("%d of %d pods serve", d.Status.AvailableReplicas, *d.Spec.Replicas)
	}
	return nil
}

const withImage = `
apiVersion: sluice.dev/v1alpha1
kind: GatewayParameters
metadata: {name: params, namespace: $NS}
spec: {pods: {replicas: 2, image: %q}}
`

// An image without Envoy is told of in the Gateway's status, and its pods do not
// take the place of those that serve.
func TestAnImageWithoutEnvoy(t *testing.T) {
	ns := sluice.Namespace(t)
	classOf(t, ns, "envoy", 2, "")
	sluice.Backend(t, ns, "shop", 1)
	sluice.Apply(t, ns, fmt.Sprintf(classed, ""))
	address := rig.Address(t, sluice.Programmed(t, ns, "gateway")) + ":80"
	serves(t, address, "any.example")
	sluice.Apply(t, ns, fmt.Sprintf(withImage, sluice.ProxyImage()))
	rig.Eventually(t, "the Gateway to say that there is no Envoy", func(ctx context.Context) error {
		var gateway gatewayv1.Gateway
		if err := sluice.Client.Get(ctx, client.ObjectKey{Namespace: ns, Name: "gateway"}, &gateway); err != nil {
			return err
		}
		if said := rig.Describe(&gateway); !strings.Contains(said, "there is no Envoy here") {
			return errors.New(said)
		}
		return nil
	})
	if n := len(podsOf(t, ns, "gateway")); n != 2 {
		t.Errorf("%d pods are ready, want the 2 that there were", n)
	}
	serves(t, address, "any.example")
}
