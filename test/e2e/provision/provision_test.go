package provision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/provision"
	"github.com/sluice-gateway/sluice/ir"
)

// Everything is made once, the restricted Pod Security standard takes the pods,
// and when it is there nothing is written any more.
func TestAGatewayIsProvisioned(t *testing.T) {
	r := start(t)
	in := r.gateway("edge")
	in.Labels, in.Annotations = map[string]string{"team": "blue"}, map[string]string{"example.com/note": "yes please"}
	r.provisioner.Ensure(in)
	for _, obj := range r.each() {
		by := metav1.GetControllerOf(obj)
		if by == nil || by.UID != in.UID {
			t.Errorf("%T has the owner %v", obj, by)
		}
		if obj.GetLabels()["team"] != "blue" || obj.GetAnnotations()["example.com/note"] != "yes please" || obj.GetLabels()[gatewayv1.GatewayNameLabelKey] != "edge" {
			t.Errorf("%T has the labels %v and the annotations %v", obj, obj.GetLabels(), obj.GetAnnotations())
		}
	}
	r.state(in.Owner, "what is lacking", lacks("AddressNotAssigned", "is there a load balancer controller?"))
	r.state(in.Owner, "why no pod is ready", lacks("AddressNotAssigned", "No pod is ready", "cannot be scheduled"))
	d := only[*appsv1.Deployment](r)
	r.ready(d.Name)
	r.balance("192.0.2.10")
	s := r.state(in.Owner, "a unit that serves", lacksNothing)
	if len(s.Ready) != 2 || !slices.Equal(s.Addresses, []dataplanes.Address{{Value: "192.0.2.10"}}) {
		t.Errorf("the state is %+v", s)
	}
	writes := r.counted.writes.Load()
	if writes != 6 {
		t.Errorf("%d writes for 6 objects", writes)
	}
	r.provisioner.Ensure(in)
	r.provisioner.Renew()
	r.balance("192.0.2.11")
	r.state(in.Owner, "another address", func(s provision.State) bool { return s.Addresses[0].Value == "192.0.2.11" })
	if now := r.counted.writes.Load(); now != writes {
		t.Errorf("%d writes where nothing was to be changed", now-writes)
	}
}

// A second process finds all as it is to be.
func TestARestartWritesNothing(t *testing.T) {
	r := start(t)
	in := r.gateway("edge")
	in.Service.Type = pointer(corev1.ServiceTypeNodePort)
	in.Pods.Resources = &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1000m"), corev1.ResourceMemory: resource.MustParse("1024Mi")}}
	in.Pods.Tolerations = []corev1.Toleration{{Key: "edge", Operator: corev1.TolerationOpExists}}
	in.Pods.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
		TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
	}}}}
	in.Pods.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule}}
	r.provisioner.Ensure(in)
	r.each()
	r.state(in.Owner, "pods", lacks("AddressNotAssigned"))
	writes := r.counted.writes.Load()
	r.run()
	r.provisioner.Ensure(in)
	r.state(in.Owner, "the same state", lacks("AddressNotAssigned"))
	if now := r.counted.writes.Load(); now != writes {
		t.Errorf("%d writes where nothing was to be changed", now-writes)
	}
}

func TestWhatAHandChangesIsPutRight(t *testing.T) {
	r := start(t)
	in := r.gateway("edge")
	r.provisioner.Ensure(in)
	r.each()
	for _, c := range []struct {
		name string
		edit func() client.Object
		good func(client.Object) bool
	}{
		{"an image", func() client.Object {
			d := only[*appsv1.Deployment](r)
			d.Spec.Template.Spec.Containers[0].Image = "example.com/other"
			return d
		}, func(o client.Object) bool {
			return o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image == "example.com/sluice-proxy:test"
		}},
		{"replicas", func() client.Object {
			d := only[*appsv1.Deployment](r)
			d.Spec.Replicas = pointer[int32](7)
			return d
		}, func(o client.Object) bool { return *o.(*appsv1.Deployment).Spec.Replicas == 2 }},
		{"other pods' processes in sight", func() client.Object {
			d := only[*appsv1.Deployment](r)
			d.Spec.Template.Spec.ShareProcessNamespace = pointer(true)
			return d
		}, func(o client.Object) bool {
			return o.(*appsv1.Deployment).Spec.Template.Spec.ShareProcessNamespace == nil
		}},
		{"one container more", func() client.Object {
			d := only[*appsv1.Deployment](r)
			d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: "guest", Image: "example.com/guest"})
			return d
		}, func(o client.Object) bool { return len(o.(*appsv1.Deployment).Spec.Template.Spec.Containers) == 1 }},
		{"an init container", func() client.Object {
			d := only[*appsv1.Deployment](r)
			d.Spec.Template.Spec.InitContainers = []corev1.Container{{Name: "guest", Image: "example.com/guest"}}
			return d
		}, func(o client.Object) bool { return len(o.(*appsv1.Deployment).Spec.Template.Spec.InitContainers) == 0 }},
		{"an argument less", func() client.Object {
			d := only[*appsv1.Deployment](r)
			d.Spec.Template.Spec.Containers[0].Args = d.Spec.Template.Spec.Containers[0].Args[:3]
			return d
		}, func(o client.Object) bool {
			return len(o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Args) > 3
		}},
		{"a port of the Service", func() client.Object {
			s := only[*corev1.Service](r)
			s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "guest", Port: 19001, TargetPort: intstr.FromInt32(19001)})
			return s
		}, func(o client.Object) bool { return len(o.(*corev1.Service).Spec.Ports) == 1 }},
		{"a narrower selector", func() client.Object {
			s := only[*corev1.Service](r)
			s.Spec.Selector["track"] = "canary"
			return s
		}, func(o client.Object) bool { return len(o.(*corev1.Service).Spec.Selector) == 2 }},
		{"the Service's type", func() client.Object {
			s := only[*corev1.Service](r)
			s.Spec.Type = corev1.ServiceTypeClusterIP
			s.Spec.ExternalTrafficPolicy = ""
			s.Spec.AllocateLoadBalancerNodePorts = nil
			return s
		}, func(o client.Object) bool { return o.(*corev1.Service).Spec.Type == corev1.ServiceTypeLoadBalancer }},
		{"a label less", func() client.Object {
			s := only[*corev1.Service](r)
			delete(s.Labels, "app.kubernetes.io/managed-by")
			return s
		}, func(o client.Object) bool { return o.GetLabels()["app.kubernetes.io/managed-by"] == "sluice" }},
		{"the CA", func() client.Object {
			cm := only[*corev1.ConfigMap](r)
			cm.Data["ca.crt"] = "mine"
			return cm
		}, func(o client.Object) bool { return o.(*corev1.ConfigMap).Data["ca.crt"] == "first" }},
		{"a token for all", func() client.Object {
			sa := only[*corev1.ServiceAccount](r)
			sa.AutomountServiceAccountToken = pointer(true)
			return sa
		}, func(o client.Object) bool { return !*o.(*corev1.ServiceAccount).AutomountServiceAccountToken }},
		{"the budget", func() client.Object {
			pdb := only[*policyv1.PodDisruptionBudget](r)
			pdb.Spec.MaxUnavailable = pointer(intstr.FromInt32(0))
			return pdb
		}, func(o client.Object) bool { return o.(*policyv1.PodDisruptionBudget).Spec.MaxUnavailable.IntVal == 1 }},
		{"the policy", func() client.Object {
			np := only[*networkingv1.NetworkPolicy](r)
			np.Spec.Ingress = append(np.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{})
			return np
		}, func(o client.Object) bool { return len(o.(*networkingv1.NetworkPolicy).Spec.Ingress) == 2 }},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			r := *r
			r.T = t
			var edited client.Object
			r.eventually("the edit", func() error {
				edited = c.edit()
				return r.client.Update(r.Context(), edited)
			})
			r.eventually(c.name+" is put right", func() error {
				if err := r.reread(edited); err != nil {
					return err
				}
				if !c.good(edited) {
					return errors.New("it is still as it was edited")
				}
				return nil
			})
		})
	}
}

// kubectl rollout restart goes by an annotation of the pods; what others say of
// an object is theirs.
func TestWhatIsOthersStays(t *testing.T) {
	r := start(t)
	in := r.gateway("edge")
	r.provisioner.Ensure(in)
	d, svc := only[*appsv1.Deployment](r), only[*corev1.Service](r)
	r.must(r.client.Patch(t.Context(), d, merge(`{"metadata":{"annotations":{"example.com/mine":"yes"}},
		"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`)))
	r.must(r.client.Patch(t.Context(), svc, merge(`{"metadata":{"annotations":{"example.com/allocated":"yes"},"finalizers":["example.com/balancer"]}}`)))
	t.Cleanup(func() { _ = r.client.Patch(context.Background(), svc, merge(`{"metadata":{"finalizers":null}}`)) })
	in.Labels = map[string]string{"next": "round"}
	r.provisioner.Ensure(in)
	r.eventually("the next round", func() error {
		if err := errors.Join(r.reread(d), r.reread(svc)); err != nil {
			return err
		}
		if d.Labels["next"] == "" || svc.Labels["next"] == "" {
			return errors.New("the label has not come")
		}
		return nil
	})
	if d.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] == "" || d.Annotations["example.com/mine"] == "" ||
		svc.Annotations["example.com/allocated"] == "" || len(svc.Finalizers) == 0 {
		t.Errorf("others' marks are gone: %v, %v, %v", d.Spec.Template.Annotations, svc.Annotations, svc.Finalizers)
	}
}

func merge(patch string) client.Patch { return client.RawPatch(types.MergePatchType, []byte(patch)) }

func TestWhatIsDeletedComesBack(t *testing.T) {
	r := start(t)
	in := r.gateway("edge")
	r.provisioner.Ensure(in)
	for _, obj := range r.each() {
		r.must(r.client.Delete(r.Context(), obj))
		before := obj.GetUID()
		r.eventually(fmt.Sprintf("%T comes back", obj), func() error {
			if err := r.reread(obj); err != nil {
				return err
			}
			if obj.GetUID() == before {
				return errors.New("it is the old one")
			}
			return nil
		})
	}
}

// What is no longer asked for goes, and what is asked for anew comes.
func TestChangesArrive(t *testing.T) {
	r := start(t)
	in := r.gateway("edge")
	in.Labels = map[string]string{"old": "yes"}
	in.Pods.NodeSelector = map[string]string{"old": "yes"}
	r.provisioner.Ensure(in)
	svc := only[*corev1.Service](r)
	name, ip := svc.Name, svc.Spec.ClusterIP

	in.Labels = map[string]string{"new": "yes"}
	in.Pods.NodeSelector = map[string]string{"new": "yes"}
	in.Pods.Replicas = pointer[int32](1)
	in.Ports = []provision.Port{{Number: 443, Protocol: corev1.ProtocolTCP}, {Number: 443, Protocol: corev1.ProtocolUDP}}
	r.provisioner.Ensure(in)
	r.eventually("the changes", func() error {
		svc, d := ours(r, &corev1.ServiceList{})[0].(*corev1.Service), ours(r, &appsv1.DeploymentList{})[0].(*appsv1.Deployment)
		switch {
		case svc.Name != name || svc.Spec.ClusterIP != ip:
			return fmt.Errorf("the Service is another one: %s, %s", svc.Name, svc.Spec.ClusterIP)
		case len(svc.Spec.Ports) != 2 || svc.Spec.Ports[1].Protocol != corev1.ProtocolUDP:
			return fmt.Errorf("its ports are %v", svc.Spec.Ports)
		case svc.Labels["old"] != "" || svc.Labels["new"] == "" || d.Spec.Template.Labels["old"] != "" || d.Spec.Template.Labels["new"] == "":
			return fmt.Errorf("labels are %v and %v", svc.Labels, d.Spec.Template.Labels)
		case !maps.Equal(d.Spec.Template.Spec.NodeSelector, in.Pods.NodeSelector):
			return fmt.Errorf("the node selector is %v", d.Spec.Template.Spec.NodeSelector)
		case len(ours(r, &policyv1.PodDisruptionBudgetList{})) > 0:
			return errors.New("one replica has a budget, and its node cannot be drained")
		}
		return nil
	})

	in.Ports = nil
	in.Labels = map[string]string{"third": "yes"}
	r.provisioner.Ensure(in)
	r.eventually("the third round", func() error {
		if ours(r, &appsv1.DeploymentList{})[0].GetLabels()["third"] == "" {
			return errors.New("not there yet")
		}
		return nil
	})
	r.must(r.client.Get(t.Context(), client.ObjectKey{Namespace: r.namespace, Name: name}, svc))
	if svc.Spec.ClusterIP != ip || svc.DeletionTimestamp != nil {
		t.Error("the Service went with the last listener, and its address with it")
	}

	r.renew("second")
	r.provisioner.Renew()
	r.eventually("the new CA", func() error {
		if got := ours(r, &corev1.ConfigMapList{})[0].(*corev1.ConfigMap).Data["ca.crt"]; got != "second" {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
}

func TestNothingIsAdopted(t *testing.T) {
	r := start(t)
	probe := r.gateway("edge")
	r.provisioner.Ensure(probe)
	name := only[*corev1.Service](r).Name
	r.provisioner.Remove(probe.Owner)
	r.nothing()

	theirs := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: name}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 1}}}}
	r.must(r.client.Create(t.Context(), theirs))
	version := theirs.ResourceVersion
	r.provisioner.Ensure(probe)
	r.state(probe.Owner, "who is in the way", lacks("Invalid", "Service "+r.namespace+"/"+name+" exists and was not made for this Gateway"))
	r.must(r.reread(theirs))
	if theirs.ResourceVersion != version {
		t.Error("somebody else's Service was written")
	}
	if n := len(ours(r, &appsv1.DeploymentList{})); n != 1 {
		t.Errorf("%d Deployments: one taken name has held up the rest", n)
	}
	r.must(r.client.Delete(t.Context(), theirs))
	r.each()

	// The same labels do not make an object ours.
	r.provisioner.Remove(probe.Owner)
	r.nothing()
	theirs = &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: name, Labels: map[string]string{
		"app.kubernetes.io/managed-by": "sluice",
	}}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 1}}}}
	r.must(r.client.Create(t.Context(), theirs))
	r.provisioner.Ensure(probe)
	r.state(probe.Owner, "who is in the way", lacks("Invalid", "exists and was not made for this Gateway"))
	r.provisioner.Remove(probe.Owner)
	r.eventually("the rest to go", func() error {
		if n := len(ours(r, &appsv1.DeploymentList{})); n > 0 {
			return fmt.Errorf("%d Deployments", n)
		}
		return nil
	})
	r.must(r.reread(theirs))
}

func TestARefusalIsToldAndHealsAndHoldsUpNobody(t *testing.T) {
	r := start(t)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "none"}, Spec: corev1.ResourceQuotaSpec{
		Hard: corev1.ResourceList{"services": resource.MustParse("0"), "pods": resource.MustParse("0")},
	}}
	r.must(r.client.Create(t.Context(), quota))
	r.eventually("the quota to count", func() error {
		if err := r.reread(quota); err != nil {
			return err
		}
		if quota.Status.Hard == nil {
			return errors.New("it does not count yet")
		}
		return nil
	})
	in := r.gateway("edge")
	r.provisioner.Ensure(in)
	r.state(in.Owner, "the server's words", lacks("NoResources", "Service "+r.namespace+"/", "exceeded quota: none"))
	r.state(in.Owner, "why there are no pods", lacks("NoResources", "has no pods", "exceeded quota"))

	poor := r.namespace
	r.namespace = r.makeNamespace()
	other := r.gateway("edge")
	r.provisioner.Ensure(other)
	r.each()
	r.namespace = poor

	r.must(r.client.Delete(t.Context(), quota))
	r.each()
	r.state(in.Owner, "no quota in the way", lacks("AddressNotAssigned"))

	in.Service.LoadBalancerClass = pointer("example.com/late")
	r.provisioner.Ensure(in)
	r.state(in.Owner, "the server's words", lacks("Invalid", "loadBalancerClass"))
	in.Service.LoadBalancerClass = nil
	r.provisioner.Ensure(in)
	r.state(in.Owner, "as before", lacks("AddressNotAssigned"))
}

func TestNothingIsLeft(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(r *rig, in *provision.Input)
	}{
		{"the unit is removed", func(r *rig, in *provision.Input) { r.provisioner.Remove(in.Owner) }},
		{"the Gateway is deleted", func(r *rig, in *provision.Input) {
			r.provisioner.Remove(in.Owner)
			r.must(r.client.Delete(r.Context(), &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: in.Owner.Name}}))
		}},
		{"it went while nobody looked", func(r *rig, _ *provision.Input) {
			r.run()
			r.provisioner.Sweep(nil)
		}},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			r := start(t)
			in := r.gateway("edge")
			r.provisioner.Ensure(in)
			r.each()
			c.end(r, &in)
			r.nothing()
		})
	}
}

// The garbage collector alone takes all away where no operator runs.
func TestTheOwnerTakesAllWithIt(t *testing.T) {
	r := start(t)
	stop := r.run()
	in := r.gateway("edge")
	r.provisioner.Ensure(in)
	r.each()
	stop()
	r.must(r.client.Delete(t.Context(), &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "edge"}}))
	r.nothing()
}

func TestSweepLeavesWhatIsKept(t *testing.T) {
	r := start(t)
	in, other := r.gateway("edge"), r.gateway("other")
	r.provisioner.Ensure(in)
	r.provisioner.Ensure(other)
	r.eventually("two Services", func() error {
		if n := len(ours(r, &corev1.ServiceList{})); n != 2 {
			return fmt.Errorf("%d Services", n)
		}
		return nil
	})
	r.run()
	r.provisioner.Sweep([]ir.Object{in.Owner})
	r.each()
}

// A replica that waits to lead says what is to be kept long before it may sweep.
// What came since is not in its list, and stays.
func TestSweepLeavesWhatCameSince(t *testing.T) {
	r := start(t)
	in, old := r.gateway("edge"), r.gateway("old")
	r.provisioner.Ensure(in)
	r.provisioner.Ensure(old)
	before := map[string]types.UID{}
	r.eventually("two Services", func() error {
		for _, obj := range ours(r, &corev1.ServiceList{}) {
			before[obj.GetName()] = obj.GetUID()
		}
		if len(before) != 2 {
			return fmt.Errorf("%d Services", len(before))
		}
		return nil
	})
	r.run()
	r.provisioner.Ensure(in)
	r.provisioner.Sweep(nil)
	left := r.each()
	for _, obj := range left {
		if svc, ok := obj.(*corev1.Service); ok && before[svc.Name] != svc.UID {
			t.Errorf("the Service %s was made anew", svc.Name)
		}
		if by := metav1.GetControllerOf(obj); by.Name != "edge" {
			t.Errorf("%T %s is of %s", obj, obj.GetName(), by.Name)
		}
	}
}

// A Gateway that was deleted and made anew gets objects of its own, once those of
// the one before have gone.
func TestAGatewayComesAgain(t *testing.T) {
	r := start(t)
	in := r.gateway("edge")
	r.provisioner.Ensure(in)
	before := only[*corev1.Service](r).UID
	r.must(r.client.Delete(t.Context(), &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "edge"}}))
	again := r.gateway("edge")
	r.provisioner.Ensure(again)
	r.eventually("objects of the new Gateway", func() error {
		for _, obj := range r.each() {
			if by := metav1.GetControllerOf(obj); by.UID != again.UID || obj.GetUID() == before {
				return fmt.Errorf("%T %s is of the old one", obj, obj.GetName())
			}
		}
		return nil
	})
}

func TestTheClassChanges(t *testing.T) {
	r := start(t)
	in := r.gateway("edge")
	r.provisioner.Ensure(in)
	before := only[*appsv1.Deployment](r)
	r.ready(before.Name)
	r.balance("192.0.2.10")
	r.state(in.Owner, "a unit that serves", lacksNothing)
	svc := only[*corev1.Service](r)
	selected := svc.Spec.Selector

	in.Class = "other"
	r.provisioner.Ensure(in)
	after := ""
	r.eventually("two Deployments", func() error {
		for _, obj := range ours(r, &appsv1.DeploymentList{}) {
			if obj.GetName() != before.Name {
				after = obj.GetName()
			}
		}
		if after == "" {
			return errors.New("the new one is not there")
		}
		return nil
	})
	r.must(r.reread(before))
	r.must(r.reread(svc))
	if !maps.Equal(svc.Spec.Selector, selected) {
		t.Fatal("the Service has moved before any pod of the new class was ready")
	}
	r.ready(after)
	r.eventually("the old Deployment to go", func() error { return gone(r.reread(before)) })
	r.eventually("the Service to lead to the pods of the new class alone", func() error {
		r.must(r.reread(svc))
		d := &appsv1.Deployment{}
		r.must(r.client.Get(r.Context(), client.ObjectKey{Namespace: r.namespace, Name: after}, d))
		if !maps.Equal(svc.Spec.Selector, d.Spec.Selector.MatchLabels) {
			return fmt.Errorf("its selector is %v", svc.Spec.Selector)
		}
		return nil
	})
	r.each()
}

func pointer[T any](value T) *T { return &value }
