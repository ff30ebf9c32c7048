package provision

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/provision"
)

func TestStaticAddresses(t *testing.T) {
	r := start(t)
	in := r.gateway("edge")
	in.Addresses = []gatewayv1.GatewaySpecAddress{{Value: "192.0.2.7"}, {Value: "203.0.113.9"}}
	r.provisioner.Ensure(in)
	r.state(in.Owner, "what to set", lacks("AddressNotUsable", "192.0.2.7, 203.0.113.9", "service.addressAnnotation", "GatewayClass sluice"))
	in.Service.AddressAnnotation = pointer("metallb.io/loadBalancerIPs")
	r.provisioner.Ensure(in)
	r.eventually("the annotation", func() error {
		if got := only[*corev1.Service](r).Annotations["metallb.io/loadBalancerIPs"]; got != "192.0.2.7,203.0.113.9" {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
	r.balance("192.0.2.7")
	r.state(in.Owner, "the address that is missing", func(s provision.State) bool {
		return lacks("AddressNotUsable", "asks for 203.0.113.9,")(s) && len(s.Addresses) == 1
	})
	in.Addresses = in.Addresses[:1]
	r.provisioner.Ensure(in)
	r.ready(only[*appsv1.Deployment](r).Name)
	r.state(in.Owner, "the address that was given", lacksNothing)
}

func TestNodePorts(t *testing.T) {
	r := start(t)
	// The controller of nodes takes readiness away in time: until then they are.
	for i, name := range []string{"b", "a"} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: r.namespace + "-" + name, Labels: map[string]string{corev1.LabelTopologyZone: "zone-" + name}}}
		r.must(r.client.Create(t.Context(), node))
		t.Cleanup(func() { _ = r.client.Delete(t.Context(), node) })
		r.eventually("a node that is ready", func() error {
			if err := r.reread(node); err != nil {
				return err
			}
			node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("10.9.0.%d", i+1)}}
			node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.Now()}}
			return r.client.Status().Update(t.Context(), node)
		})
	}
	in := r.gateway("edge")
	in.Service.Type = pointer(corev1.ServiceTypeNodePort)
	r.provisioner.Ensure(in)
	s := r.state(in.Owner, "addresses of nodes", func(s provision.State) bool { return len(s.Addresses) >= 2 })
	a := slices.IndexFunc(s.Addresses, func(a dataplanes.Address) bool { return a.Value == "10.9.0.2" })
	b := slices.IndexFunc(s.Addresses, func(a dataplanes.Address) bool { return a.Value == "10.9.0.1" })
	if a < 0 || b < 0 || a > b {
		t.Errorf("the addresses are %v, and go by the nodes' names", s.Addresses)
	}
	svc := only[*corev1.Service](r)
	if want := fmt.Sprintf("node port %d", svc.Spec.Ports[0].NodePort); s.Ports[80] != want {
		t.Errorf("port 80 is said to be %q, and is %s", s.Ports[80], want)
	}
}

func TestClusterIP(t *testing.T) {
	r := start(t)
	in := r.gateway("edge")
	in.Service.Type = pointer(corev1.ServiceTypeClusterIP)
	r.provisioner.Ensure(in)
	svc := only[*corev1.Service](r)
	r.ready(only[*appsv1.Deployment](r).Name)
	s := r.state(in.Owner, "a unit that serves", lacksNothing)
	if len(s.Addresses) == 0 || s.Addresses[0].Value != svc.Spec.ClusterIP {
		t.Errorf("the addresses are %v, and the Service has %s", s.Addresses, svc.Spec.ClusterIP)
	}
}

func TestIdentify(t *testing.T) {
	r := start(t)
	in, other := r.gateway("edge"), r.gateway("other")
	r.provisioner.Ensure(in)
	r.each()
	var pod *corev1.Pod
	r.eventually("a pod", func() error {
		pods := ours(r, &corev1.PodList{})
		if len(pods) < 2 {
			return fmt.Errorf("%d pods", len(pods))
		}
		pod = pods[0].(*corev1.Pod)
		return nil
	})
	right := provision.Claim{Namespace: pod.Namespace, Pod: pod.Name, UID: pod.UID, ServiceAccount: pod.Spec.ServiceAccountName}
	a, err := r.provisioner.Identify(t.Context(), right)
	if err != nil || a.Owner != in.Owner {
		t.Fatalf("the unit's own pod is %v: %v", a, err)
	}
	guest := r.guest(pod)
	for _, c := range []struct {
		name  string
		claim func(c provision.Claim) provision.Claim
		want  string
	}{
		{"another pod of the name", func(c provision.Claim) provision.Claim { c.UID = "before"; return c }, "another one than the token was made for"},
		{"no such pod", func(c provision.Claim) provision.Claim { c.Pod = "none"; return c }, "does not exist"},
		{"another namespace", func(c provision.Claim) provision.Claim { c.Namespace = "default"; return c }, "does not exist"},
		{"another ServiceAccount", func(c provision.Claim) provision.Claim { c.ServiceAccount = "default"; return c }, "the unit's is"},
		{"a pod by hand", func(c provision.Claim) provision.Claim { c.Pod, c.UID = guest.Name, guest.UID; return c }, "not from a Deployment of its unit"},
	} {
		_, err := r.provisioner.Identify(t.Context(), c.claim(right))
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, provision.ErrUnknown) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	r.provisioner.Ensure(other)
	r.eventually("pods of the other", func() error {
		list := &corev1.PodList{}
		r.must(r.client.List(t.Context(), list, client.InNamespace(r.namespace), client.MatchingLabels{gatewayv1.GatewayNameLabelKey: "other"}))
		if len(list.Items) < 2 {
			return errors.New("not yet two")
		}
		for _, p := range list.Items {
			a, err := r.provisioner.Identify(t.Context(), provision.Claim{Namespace: p.Namespace, Pod: p.Name, UID: p.UID, ServiceAccount: p.Spec.ServiceAccountName})
			if err == nil && a.Owner != other.Owner {
				t.Fatalf("a pod of %v is taken for one of %v", other.Owner, a.Owner)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	r.provisioner.Remove(in.Owner)
	if _, err := r.provisioner.Identify(t.Context(), right); err == nil {
		t.Error("a pod of a unit that is no longer ours is let in")
	}
}

// guest is a pod that somebody has made to look like one of the unit's.
func (r *rig) guest(like *corev1.Pod) *corev1.Pod {
	r.Helper()
	guest := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: like.Namespace, Name: "guest", Labels: like.Labels}, Spec: *like.Spec.DeepCopy()}
	delete(guest.Labels, "pod-template-hash")
	r.must(r.client.Create(r.Context(), guest))
	return guest
}
