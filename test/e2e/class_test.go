package e2e

import (
	"context"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

const parameters = `
apiVersion: sluice.dev/v1alpha1
kind: GatewayParameters
metadata: {name: params, namespace: $NS}
spec: {pods: {replicas: %[2]d, resources: {requests: {cpu: 10m, memory: 32Mi}}}, %[3]s}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: $NS}
spec:
  controllerName: sluice.dev/%[1]s
  parametersRef: {group: sluice.dev, kind: GatewayParameters, name: params, namespace: $NS}
`

// ownClass makes a GatewayClass of a test's own, named as its namespace, of the Go
// proxy. more is what its parameters have beside pods.
func ownClass(t testing.TB, ns string, replicas int, more string) {
	t.Helper()
	classOf(t, ns, "go", replicas, more)
}

// classOf is ownClass for another dataplane.
func classOf(t testing.TB, ns, dataplane string, replicas int, more string) {
	t.Helper()
	sluice.Needs(t, dataplane)
	sluice.Apply(t, ns, fmt.Sprintf(parameters, dataplane, replicas, more))
	t.Cleanup(func() { dropClass(t, ns) })
}

func dropClass(t testing.TB, name string) {
	t.Helper()
	class := &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := sluice.Client.Delete(context.Background(), class); err != nil {
		t.Error(err)
	}
}
