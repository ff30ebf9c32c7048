package provision

import (
	"context"
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-gateway/sluice/ir"
)

// twins are Gateways of two namespaces whose labels have one hash: it is short
// enough to be looked for.
func twins(t *testing.T) (a, b ir.Object) {
	t.Helper()
	seen := map[string]ir.Object{}
	for i := range 1 << 20 {
		a = ir.Object{Kind: "Gateway", Namespace: "team-a", Name: fmt.Sprint("a", i)}
		seen[unitHash(a)] = a
		b = ir.Object{Kind: "Gateway", Namespace: "team-b", Name: fmt.Sprint("b", i)}
		if a, ok := seen[unitHash(b)]; ok {
			return a, b
		}
	}
	t.Fatal("no two Gateways have one hash")
	return a, b
}

// onePod is a cache with a pod and nothing else.
type onePod struct {
	cache.Cache
	pod *corev1.Pod
}

func (c onePod) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	pod, ok := into.(*corev1.Pod)
	if !ok || key != client.ObjectKeyFromObject(c.pod) {
		return errors.New("not here")
	}
	c.pod.DeepCopyInto(pod)
	return nil
}

func (onePod) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

// TestTwinsOfOtherNamespaces: whoever finds a name with the hash of another's
// Gateway takes nothing from its pods.
func TestTwinsOfOtherNamespaces(t *testing.T) {
	a, b := twins(t)
	p := &Provisioner{
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[ir.Object]()),
		units: map[ir.Object]*unit{}, owners: map[mark]ir.Object{},
	}
	defer p.queue.ShutDown()
	p.Ensure(Input{Owner: a, UID: "1", Class: "c"})
	p.Ensure(Input{Owner: b, UID: "2", Class: "c"})
	in, controls := Input{Owner: a, Class: "c"}, true
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: a.Namespace, Name: "x", UID: "3", Labels: map[string]string{labelUnit: unitHash(a), "pod-template-hash": "h"},
		OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: workloadName(&in) + "-h", Controller: &controls}},
	}}
	pod.Spec.ServiceAccountName = unitName(a)
	p.opts.Cache = onePod{pod: pod}
	got, err := p.Identify(t.Context(), Claim{Namespace: a.Namespace, Pod: "x", UID: "3", ServiceAccount: unitName(a)})
	if err != nil || got.Owner != a {
		t.Errorf("the pod of %v is let in as one of %v: %v", a, got.Owner, err)
	}
}
