package provision

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-gateway/sluice/ir"
)

// alike are two Gateways of two namespaces whose hashes are the same, as somebody
// can look for.
func alike(t *testing.T) (ir.Object, ir.Object) {
	t.Helper()
	names := map[string]ir.Object{}
	for i := range 1 << 20 {
		name := fmt.Sprintf("gw-%d", i)
		victim, guest := ir.Object{Kind: "Gateway", Namespace: "victim", Name: name}, ir.Object{Kind: "Gateway", Namespace: "guest", Name: name}
		names[unitHash(victim)] = victim
		if found, ok := names[unitHash(guest)]; ok {
			return found, guest
		}
	}
	t.Fatal("no two hashes are the same")
	return ir.Object{}, ir.Object{}
}

// A Gateway with the hash of another namespace's does not come in its place.
func TestEqualHashesOfTwoNamespaces(t *testing.T) {
	victim, guest := alike(t)
	p := &Provisioner{
		units: map[ir.Object]*unit{}, owners: map[mark]ir.Object{},
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[ir.Object](time.Millisecond, time.Second)),
	}
	defer p.queue.ShutDown()
	p.Ensure(Input{Owner: victim})
	p.Ensure(Input{Owner: guest})
	for range 2 {
		owner, _ := p.queue.Get()
		p.queue.Done(owner)
	}
	p.notice(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: victim.Namespace, Labels: selector(victim)}})
	if p.queue.Len() != 1 {
		t.Fatal("a pod's unit is not worked on")
	}
	if owner, _ := p.queue.Get(); owner != victim {
		t.Errorf("a pod of %v is taken for one of %v", victim, owner)
	}
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

// TestPodsOfEqualHashes: whoever finds a name with the hash of another's Gateway
// takes nothing from its pods.
func TestPodsOfEqualHashes(t *testing.T) {
	a, b := alike(t)
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
