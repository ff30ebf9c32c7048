package rig

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Programmed waits until a Gateway is Programmed in its present generation, and
// returns it.
func (r *Rig) Programmed(t testing.TB, ns, name string) *gatewayv1.Gateway {
	t.Helper()
	return r.Condition(t, ns, name, metav1.Condition{Type: "Programmed", Status: metav1.ConditionTrue})
}

// Condition waits until a Gateway has a condition with this status and, where it
// is not empty, this reason.
func (r *Rig) Condition(t testing.TB, ns, name string, want metav1.Condition) *gatewayv1.Gateway {
	t.Helper()
	var gateway gatewayv1.Gateway
	what := fmt.Sprintf("Gateway %s with %s=%s %s", name, want.Type, want.Status, want.Reason)
	Eventually(t, what, func(ctx context.Context) error {
		if err := r.Client.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, &gateway); err != nil {
			return err
		}
		return has(gateway.Status.Conditions, gateway.Generation, want)
	})
	return &gateway
}

func has(conditions []metav1.Condition, generation int64, want metav1.Condition) error {
	c := meta.FindStatusCondition(conditions, want.Type)
	switch {
	case c == nil:
		return fmt.Errorf("there is no condition %s", want.Type)
	case c.ObservedGeneration != generation:
		return fmt.Errorf("%s is of generation %d, the object of %d", want.Type, c.ObservedGeneration, generation)
	case c.Status != want.Status || want.Reason != "" && c.Reason != want.Reason:
		return fmt.Errorf("%s is %s, %s: %s", want.Type, c.Status, c.Reason, c.Message)
	}
	return nil
}

// Address returns a Gateway's first address.
func Address(t testing.TB, gateway *gatewayv1.Gateway) string {
	t.Helper()
	if len(gateway.Status.Addresses) == 0 {
		t.Fatalf("Gateway %s is Programmed and has no address", gateway.Name)
	}
	return gateway.Status.Addresses[0].Value
}

// RouteAccepted waits until every parent of an HTTPRoute has accepted it and
// resolved its references.
func (r *Rig) RouteAccepted(t testing.TB, ns, name string) {
	t.Helper()
	var route gatewayv1.HTTPRoute
	Eventually(t, "HTTPRoute "+name+" to be accepted", func(ctx context.Context) error {
		if err := r.Client.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, &route); err != nil {
			return err
		}
		if len(route.Status.Parents) != len(route.Spec.ParentRefs) {
			return fmt.Errorf("%d of %d parents have answered", len(route.Status.Parents), len(route.Spec.ParentRefs))
		}
		var errs []error
		for _, parent := range route.Status.Parents {
			for _, condition := range []string{"Accepted", "ResolvedRefs"} {
				want := metav1.Condition{Type: condition, Status: metav1.ConditionTrue}
				errs = append(errs, has(parent.Conditions, route.Generation, want))
			}
		}
		return errors.Join(errs...)
	})
}

// Describe is a Gateway's status in short, for failures.
func Describe(gateway *gatewayv1.Gateway) string {
	var text strings.Builder
	for _, c := range gateway.Status.Conditions {
		fmt.Fprintf(&text, "%s=%s %s (generation %d of %d): %s\n", c.Type, c.Status, c.Reason, c.ObservedGeneration, gateway.Generation, c.Message)
	}
	return text.String()
}
