package provision

import (
	"context"
	"errors"
	"fmt"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/dataplanes/provision"
	"github.com/sluice-gateway/sluice/ir"
)

// Who comes to lead after weeks sweeps by what there was when it was started. The
// Gateways that came since then stay.
func TestANewLeaderKeepsWhatCameSince(t *testing.T) {
	r := start(t)
	stop := r.run()
	left, since := r.gateway("left"), r.gateway("since")
	r.provisioner.Ensure(left)
	r.provisioner.Ensure(since)
	r.eventually("two Services", func() error {
		if n := len(ours(r, &corev1.ServiceList{})); n != 2 {
			return fmt.Errorf("%d Services", n)
		}
		return nil
	})
	before := map[string]bool{}
	for _, list := range lists() {
		for _, obj := range ours(r, list) {
			before[string(obj.GetUID())] = true
		}
	}
	stop()

	r.run()
	r.provisioner.Ensure(since)
	r.provisioner.Sweep([]ir.Object{})
	for _, obj := range r.each() {
		if by := obj.GetLabels()["gateway.networking.k8s.io/gateway-name"]; by != "since" || !before[string(obj.GetUID())] {
			t.Errorf("%T %s is of %s, and was there before: %v", obj, obj.GetName(), by, before[string(obj.GetUID())])
		}
	}
	r.state(since.Owner, "the Gateway that is there", lacks("AddressNotAssigned"))
}

// What a Gateway of the same name has left behind is nobody's fault: it goes, and
// nobody is told to remove it.
func TestWhatTheOneBeforeLeftBehind(t *testing.T) {
	r := start(t)
	in := r.gateway("edge")
	r.provisioner.Ensure(in)
	svc := only[*corev1.Service](r)
	svc.Finalizers = append(svc.Finalizers, "example.com/slow")
	r.must(r.client.Update(t.Context(), svc))
	r.must(r.client.Delete(t.Context(), &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "edge"}}))
	again := r.gateway("edge")
	r.provisioner.Ensure(again)
	r.state(again.Owner, "the Service that is to come", lacks("AddressNotAssigned", "is not there yet"))
	r.eventually("the old one to go", func() error {
		if err := r.reread(svc); err != nil {
			return err
		}
		svc.Finalizers = nil
		return r.client.Update(t.Context(), svc)
	})
	r.eventually("the new one", func() error {
		if by := metav1.GetControllerOf(only[*corev1.Service](r)); by.UID != again.UID {
			return errors.New("it is the old one's")
		}
		return nil
	})
}

// A Service that somebody deletes can take minutes to go, and its address goes
// first.
func TestAServiceThatGoesHasNoAddress(t *testing.T) {
	r := start(t)
	in := r.gateway("edge")
	r.provisioner.Ensure(in)
	svc := only[*corev1.Service](r)
	svc.Finalizers = append(svc.Finalizers, "example.com/slow")
	r.must(r.client.Update(t.Context(), svc))
	r.balance("192.0.2.1")
	r.state(in.Owner, "the address", func(s provision.State) bool { return len(s.Addresses) == 1 })
	r.must(r.client.Delete(t.Context(), svc))
	r.state(in.Owner, "no address", func(s provision.State) bool { return len(s.Addresses) == 0 })
	r.eventually("the finalizer to go", func() error {
		if err := r.reread(svc); err != nil {
			return err
		}
		svc.Finalizers = nil
		return r.client.Update(t.Context(), svc)
	})
	if again := only[*corev1.Service](r); again.UID == svc.UID {
		t.Error("it did not go")
	}
}

// What is no refusal and does not pass is told too: a webhook that does not answer
// keeps a new port closed, though every pod serves it.
func TestWhatDoesNotPassIsTold(t *testing.T) {
	r := start(t)
	in := r.gateway("edge")
	r.provisioner.Ensure(in)
	r.each()
	r.state(in.Owner, "the Service", lacks("AddressNotAssigned"))
	fail, none := admissionv1.Fail, admissionv1.SideEffectClassNone
	hook := &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: r.namespace}, Webhooks: []admissionv1.ValidatingWebhook{{
		Name: "away.example.com", FailurePolicy: &fail, SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
		ClientConfig:      admissionv1.WebhookClientConfig{URL: pointer("https://127.0.0.1:1/")},
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": r.namespace}},
		Rules: []admissionv1.RuleWithOperations{{Operations: []admissionv1.OperationType{admissionv1.Update}, Rule: admissionv1.Rule{
			APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"services"},
		}}},
	}}}
	r.must(r.client.Create(t.Context(), hook))
	t.Cleanup(func() { _ = r.client.Delete(context.Background(), hook) })
	r.eventually("the webhook to count", func() error {
		svc := only[*corev1.Service](r)
		svc.Labels["seen"] = "yes"
		if err := r.client.Update(t.Context(), svc); err == nil {
			return errors.New("it does not yet")
		}
		return nil
	})
	in.Ports = append(in.Ports, provision.Port{Number: 443, Protocol: corev1.ProtocolTCP})
	r.provisioner.Ensure(in)
	r.state(in.Owner, "why the port is closed", lacks("Pending", "Service "+r.namespace+"/", "away.example.com"))
	r.must(r.client.Delete(t.Context(), hook))
	r.state(in.Owner, "nothing in the way", lacks("AddressNotAssigned", "The cluster gives no address"))
}

// Parameters change, and change back: the API server takes each change, and the
// Service stays the same.
func TestTheServiceChangesItsType(t *testing.T) {
	r := start(t)
	in := r.gateway("edge")
	in.Ports = []provision.Port{{Number: 80, Protocol: corev1.ProtocolTCP}, {Number: 443, Protocol: corev1.ProtocolTCP}, {Number: 443, Protocol: corev1.ProtocolUDP}}
	r.provisioner.Ensure(in)
	before := only[*corev1.Service](r)
	local, no := corev1.ServiceExternalTrafficPolicyLocal, false
	lb, np, cip := corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort, corev1.ServiceTypeClusterIP
	for i, p := range []v1alpha1.ServiceParameters{
		{Type: &lb, ExternalTrafficPolicy: &local, LoadBalancerClass: pointer("example.com/late"), LoadBalancerSourceRanges: []string{"192.0.2.0/24"}},
		{Type: &lb},
		{Type: &cip},
		{Type: &lb, LoadBalancerClass: pointer("example.com/lb"), LoadBalancerSourceRanges: []string{"192.0.2.0/24"}, AllocateLoadBalancerNodePorts: &no},
		{Type: &np, ExternalTrafficPolicy: &local, NodePorts: []v1alpha1.NodePort{{Port: 443, NodePort: 30443}}},
		{Type: &np},
		{Type: &cip},
		{Type: &np, NodePorts: []v1alpha1.NodePort{{Port: 80, NodePort: 30443}, {Port: 443, NodePort: 30080}}},
		{Type: &np, NodePorts: []v1alpha1.NodePort{{Port: 80, NodePort: 30080}, {Port: 443, NodePort: 30443}}},
		{},
	} {
		in.Service = p
		r.provisioner.Ensure(in)
		want := lb
		if p.Type != nil {
			want = *p.Type
		}
		if i == 0 {
			r.state(in.Owner, "what cannot be changed", lacks("Invalid", "loadBalancerClass"))
			continue
		}
		r.eventually(fmt.Sprintf("change %d", i), func() error {
			svc := &corev1.Service{}
			r.must(r.client.Get(t.Context(), client.ObjectKeyFromObject(before), svc))
			if svc.UID != before.UID || svc.Spec.Type != want || svc.Spec.ClusterIP != before.Spec.ClusterIP || len(svc.Spec.Ports) != 3 {
				s, _ := r.provisioner.State(in.Owner)
				return fmt.Errorf("it is %+v, %+v", svc.Spec, s.Lack)
			}
			for _, n := range p.NodePorts {
				for _, port := range svc.Spec.Ports {
					if port.Port == n.Port && port.NodePort != n.NodePort {
						return fmt.Errorf("ports are %v", svc.Spec.Ports)
					}
				}
			}
			return nil
		})
	}
	r.state(in.Owner, "nothing in the way", lacks("AddressNotAssigned", "The cluster gives no address"))
}
