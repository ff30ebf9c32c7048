package provision

import (
	"context"
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kind is a kind of object that is made here.
type kind struct {
	name string
	gvk  schema.GroupVersionKind
	one  func() client.Object
	list func() client.ObjectList
}

// kinds are in the order in which objects are taken away: clients first are led
// nowhere, then the pods end.
var kinds = []kind{
	{"Service", corev1.SchemeGroupVersion.WithKind("Service"), func() client.Object { return &corev1.Service{} }, func() client.ObjectList { return &corev1.ServiceList{} }},
	{"PodDisruptionBudget", policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"), func() client.Object { return &policyv1.PodDisruptionBudget{} }, func() client.ObjectList { return &policyv1.PodDisruptionBudgetList{} }},
	{"Deployment", appsv1.SchemeGroupVersion.WithKind("Deployment"), func() client.Object { return &appsv1.Deployment{} }, func() client.ObjectList { return &appsv1.DeploymentList{} }},
	{"NetworkPolicy", networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"), func() client.Object { return &networkingv1.NetworkPolicy{} }, func() client.ObjectList { return &networkingv1.NetworkPolicyList{} }},
	{"ConfigMap", corev1.SchemeGroupVersion.WithKind("ConfigMap"), func() client.Object { return &corev1.ConfigMap{} }, func() client.ObjectList { return &corev1.ConfigMapList{} }},
	{"ServiceAccount", corev1.SchemeGroupVersion.WithKind("ServiceAccount"), func() client.Object { return &corev1.ServiceAccount{} }, func() client.ObjectList { return &corev1.ServiceAccountList{} }},
}

// CacheOptions are those of a cache for a Provisioner: of the kinds that it makes
// it holds what it has made, and of pods its own. Fields that say who owns what
// are kept, as they show what a hand has added.
func CacheOptions(opts cache.Options) cache.Options {
	ours := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{labelManagedBy: managedBy})}
	opts.ByObject = map[client.Object]cache.ByObject{
		&corev1.Pod{}:  {Label: ours.Label, Transform: cache.TransformStripManagedFields()},
		&corev1.Node{}: {Transform: trimNode},
	}
	for _, k := range kinds {
		opts.ByObject[k.one()] = ours
	}
	return opts
}

// trimNode keeps what is read of a node: images and capacities of 5,000 nodes
// are much to hold.
func trimNode(obj any) (any, error) {
	n, ok := obj.(*corev1.Node)
	if !ok {
		return obj, nil
	}
	kept := &corev1.Node{TypeMeta: n.TypeMeta, ObjectMeta: metav1.ObjectMeta{
		Name: n.Name, UID: n.UID, ResourceVersion: n.ResourceVersion, Labels: n.Labels, DeletionTimestamp: n.DeletionTimestamp,
	}}
	kept.Status.Addresses = n.Status.Addresses
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			kept.Status.Conditions = []corev1.NodeCondition{{Type: c.Type, Status: c.Status}}
		}
	}
	return kept, nil
}

// watch has units worked on whose objects change.
func (p *Provisioner) watch() error {
	watched := []client.Object{&corev1.Pod{}}
	for _, k := range kinds {
		watched = append(watched, k.one())
	}
	for _, obj := range watched {
		if err := p.handle(obj, toolscache.ResourceEventHandlerFuncs{
			AddFunc:    p.notice,
			UpdateFunc: func(before, after any) { p.notice(before); p.notice(after) },
			DeleteFunc: p.notice,
		}); err != nil {
			return err
		}
	}
	return p.handle(&corev1.Node{}, toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { p.noticeNodes() },
		UpdateFunc: p.noticeNode,
		DeleteFunc: func(any) { p.noticeNodes() },
	})
}

func (p *Provisioner) handle(obj client.Object, handler toolscache.ResourceEventHandler) error {
	informer, err := p.opts.Cache.GetInformer(context.Background(), obj, cache.BlockUntilSynced(false))
	if err != nil {
		return err
	}
	_, err = informer.AddEventHandler(handler)
	return err
}

// notice has the unit of an object worked on.
func (p *Provisioner) notice(event any) {
	if gone, ok := event.(toolscache.DeletedFinalStateUnknown); ok {
		event = gone.Obj
	}
	obj, ok := event.(metav1.Object)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if owner, known := p.owners[mark{obj.GetNamespace(), obj.GetLabels()[labelUnit]}]; known {
		p.queue.Add(owner)
	}
}

// noticeNode passes over the heartbeats of nodes.
func (p *Provisioner) noticeNode(before, after any) {
	a, okA := before.(*corev1.Node)
	b, okB := after.(*corev1.Node)
	if okA && okB && a.Name == b.Name && nodeReady(a) == nodeReady(b) && reflect.DeepEqual(a.Status.Addresses, b.Status.Addresses) {
		return
	}
	p.noticeNodes()
}

// noticeNodes has the units worked on whose addresses are those of nodes.
func (p *Provisioner) noticeNodes() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for owner, u := range p.units {
		if !u.removed && serviceType(&u.input) == corev1.ServiceTypeNodePort {
			p.queue.Add(owner)
		}
	}
}
