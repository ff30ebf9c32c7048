package provision

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-gateway/sluice/dataplanes"
)

// Objects are those that run a unit, in the order in which they are to be made:
// pods find what they need when they come, and clients find pods.
func Objects(in *Input, site *Site) []client.Object {
	objects := []client.Object{serviceAccount(in), caBundle(in, site), networkPolicy(in), deployment(in, site)}
	if pdb := disruptionBudget(in); pdb != nil {
		objects = append(objects, pdb)
	}
	if svc := service(in); svc != nil {
		objects = append(objects, svc)
	}
	return objects
}

// serviceAccount is who the pods are when they ask for their unit. It has no
// permission, and no pod gets a token for the API server.
func serviceAccount(in *Input) *corev1.ServiceAccount {
	mount := false
	return &corev1.ServiceAccount{
		TypeMeta:                     metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta:                   in.meta(unitName(in.Owner)),
		AutomountServiceAccountToken: &mount,
	}
}

const caKey = "ca.crt"

func caBundle(in *Input, site *Site) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: in.meta(unitName(in.Owner)),
		Data:       map[string]string{caKey: string(site.CA)},
	}
}

// networkPolicy lets everybody to the listeners, and pods of the cluster to the
// metrics. Probes come from the pod's own node, which policies let through. What
// a proxy may reach is not bounded: its backends can be anywhere.
func networkPolicy(in *Input) *networkingv1.NetworkPolicy {
	np := &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: in.meta(unitName(in.Owner)),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: selector(in.Owner)},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From:  []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}},
				Ports: []networkingv1.NetworkPolicyPort{policyPort(Port{dataplanes.AdminPort, corev1.ProtocolTCP})},
			}},
		},
	}
	if len(in.Ports) > 0 {
		open := networkingv1.NetworkPolicyIngressRule{}
		for _, p := range in.Ports {
			open.Ports = append(open.Ports, policyPort(p))
		}
		np.Spec.Ingress = append(np.Spec.Ingress, open)
	}
	return np
}

func policyPort(p Port) networkingv1.NetworkPolicyPort {
	number := intstr.FromInt32(int32(p.Number))
	return networkingv1.NetworkPolicyPort{Protocol: &p.Protocol, Port: &number}
}

// disruptionBudget is nil for a single replica, which would never be let go.
// Pods that are not ready never hold a node back.
func disruptionBudget(in *Input) *policyv1.PodDisruptionBudget {
	if replicas(in) < 2 {
		return nil
	}
	away := intstr.FromInt32(1)
	if b := in.Pods.DisruptionBudget; b != nil && b.MaxUnavailable != nil {
		away = *b.MaxUnavailable
	}
	always := policyv1.AlwaysAllow
	pdb := &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: in.meta(workloadName(in)),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable:             &away,
			Selector:                   &metav1.LabelSelector{MatchLabels: workloadSelector(in)},
			UnhealthyPodEvictionPolicy: &always,
		},
	}
	pdb.Labels = in.workloadLabels(nil)
	return pdb
}
