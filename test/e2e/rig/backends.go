package rig

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// echo is a backend of Sluice's own program. Its pods are asked to end three
// seconds after they leave the endpoints, as a backend that cares does: there is
// no other way for any proxy to lose nothing.
const echo = `
apiVersion: v1
kind: Service
metadata: {name: %[1]s}
spec:
  selector: {app: %[1]s}
  ports:
  - {name: http, port: 80, targetPort: 3000}
  - {name: h2c, port: 81, targetPort: 3000, appProtocol: kubernetes.io/h2c}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: %[2]d
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      terminationGracePeriodSeconds: 20
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: echo
        image: %[3]s
        args: [echo, --bind, 0.0.0.0, --port, "3000"]
        ports: [{containerPort: 3000}]
        readinessProbe: {tcpSocket: {port: 3000}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 3}}}
        resources: {requests: {cpu: 10m, memory: 16Mi}}
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
`

// Backend runs an echo backend and waits until it is ready.
func (r *Rig) Backend(t testing.TB, ns, name string, replicas int) {
	t.Helper()
	r.Apply(t, ns, fmt.Sprintf(echo, name, replicas, r.Image()))
	r.BackendReady(t, ns, name, replicas)
}

// BackendReady waits until a Deployment has as many pods as it is to have, and
// no others.
func (r *Rig) BackendReady(t testing.TB, ns, name string, replicas int) {
	t.Helper()
	Eventually(t, fmt.Sprintf("%d pods of %s", replicas, name), func(ctx context.Context) error {
		var d appsv1.Deployment
		if err := r.Client.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, &d); err != nil {
			return err
		}
		s := d.Status
		if s.ObservedGeneration != d.Generation || int(s.AvailableReplicas) != replicas || int(s.UpdatedReplicas) != replicas || int(s.Replicas) != replicas {
			return fmt.Errorf("%d available, %d updated, %d in all", s.AvailableReplicas, s.UpdatedReplicas, s.Replicas)
		}
		return nil
	})
}

// Scale changes how many pods a backend has, and returns at once.
func (r *Rig) Scale(t testing.TB, ns, name string, replicas int) {
	t.Helper()
	d := Get(t, r, client.ObjectKey{Namespace: ns, Name: name}, &appsv1.Deployment{})
	patch := client.MergeFrom(d.DeepCopy())
	count := int32(replicas)
	d.Spec.Replicas = &count
	if err := r.Client.Patch(t.Context(), d, patch); err != nil {
		t.Fatal(err)
	}
}
