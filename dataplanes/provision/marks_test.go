package provision

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"

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
