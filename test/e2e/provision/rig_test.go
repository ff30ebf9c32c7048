package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/sluice-gateway/sluice/dataplanes/provision"
	"github.com/sluice-gateway/sluice/ir"
)

const patience = time.Minute

var config *rest.Config

func TestMain(m *testing.M) {
	if err := connect(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func connect() error {
	path := os.Getenv("SLUICE_E2E_KUBECONFIG")
	if path == "" {
		return nil
	}
	made, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return err
	}
	made.QPS, made.Burst = 200, 400
	config = made
	return installGateways()
}

func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	_ = clientgoscheme.AddToScheme(s)
	_ = gatewayv1.Install(s)
	return s
}

// installGateways has the cluster know the kind of the owners: the garbage
// collector takes away what belongs to none.
func installGateways() error {
	c, err := client.New(config, client.Options{Scheme: scheme()})
	if err != nil {
		return err
	}
	text, err := os.ReadFile("../../../operator/source/dir/schema/crd/gateway.networking.k8s.io_gateways.yaml")
	if err != nil {
		return err
	}
	crd := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &crd.Object); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(crd), client.FieldOwner("test"), client.ForceOwnership); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if c, err = client.New(config, client.Options{Scheme: scheme()}); err == nil {
			if err = c.List(ctx, &gatewayv1.GatewayList{}); err == nil {
				return nil
			}
		}
	}
	return fmt.Errorf("the API server does not serve Gateways: %w", err)
}

// counting is a client that counts what is written.
type counting struct {
	client.Client
	writes atomic.Int64
}

func (c *counting) Apply(ctx context.Context, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	c.writes.Add(1)
	return c.Client.Apply(ctx, obj, opts...)
}

func (c *counting) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	c.writes.Add(1)
	return c.Client.Patch(ctx, obj, patch, opts...)
}

func (c *counting) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	c.writes.Add(1)
	return c.Client.Delete(ctx, obj, opts...)
}

// rig is a provisioner at work, and a namespace to work in.
type rig struct {
	*testing.T
	provisioner *provision.Provisioner
	// client is the test's own, and writes as somebody else.
	client    client.Client
	counted   *counting
	namespace string
	ca        *atomic.Pointer[string]
	// changes is how often a state is said to differ.
	changes *atomic.Int64
}

func start(t *testing.T) *rig {
	t.Helper()
	if config == nil {
		t.Skip("SLUICE_E2E_KUBECONFIG names no cluster")
	}
	plain, err := client.New(config, client.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, client: client.WithFieldOwner(plain, "kubectl-edit"), counted: &counting{Client: plain}, ca: &atomic.Pointer[string]{}, changes: &atomic.Int64{}}
	r.renew("first")
	r.namespace = r.makeNamespace()
	r.run()
	return r
}

func (r *rig) renew(bundle string) { r.ca.Store(&bundle) }

// run starts a provisioner, and returns once it works.
func (r *rig) run() (stop func()) {
	r.Helper()
	ctx, cancel := context.WithCancel(r.Context())
	seen, err := cache.New(config, provision.CacheOptions(cache.Options{Scheme: scheme()}))
	if err != nil {
		r.Fatal(err)
	}
	p, err := provision.New(provision.Options{
		Client: r.counted, Cache: seen, Image: "example.com/sluice-proxy:test", Delivery: "sluice-operator.sluice-system.svc:9443",
		CA:      func() []byte { return []byte(*r.ca.Load()) },
		Changed: func(ir.Object) { r.changes.Add(1) },
		Log:     logr.Discard(),
	})
	if err != nil {
		r.Fatal(err)
	}
	var under sync.WaitGroup
	under.Go(func() { _ = seen.Start(ctx) })
	under.Go(func() {
		if err := p.Run(ctx); err != nil {
			r.Errorf("the provisioner ended: %v", err)
		}
	})
	r.provisioner = p
	stop = func() { cancel(); under.Wait() }
	r.Cleanup(stop)
	return stop
}

// makeNamespace makes a namespace that takes restricted pods alone.
func (r *rig) makeNamespace() string {
	r.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "provision-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	r.must(r.client.Create(r.Context(), ns))
	r.Cleanup(func() { _ = r.client.Delete(context.Background(), ns) })
	r.eventually("the namespace's ServiceAccount", func() error {
		return r.client.Get(r.Context(), client.ObjectKey{Namespace: ns.Name, Name: "default"}, &corev1.ServiceAccount{})
	})
	return ns.Name
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// eventually waits until a check passes.
func (r *rig) eventually(what string, check func() error) {
	r.Helper()
	due := time.Now().Add(patience)
	var err error
	for time.Now().Before(due) {
		if err = check(); err == nil {
			return
		}
		wait(20 * time.Millisecond)
	}
	r.Fatalf("%s: %v", what, err)
}

func wait(d time.Duration) { <-time.After(d) }

// gateway makes a Gateway, and returns what is asked for it.
func (r *rig) gateway(name string) provision.Input {
	r.Helper()
	gw := &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: name},
		Spec: gatewayv1.GatewaySpec{GatewayClassName: "sluice", Listeners: []gatewayv1.Listener{
			{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType},
		}},
	}
	r.must(r.client.Create(r.Context(), gw))
	return provision.Input{
		Owner: ir.Object{Kind: "Gateway", Namespace: r.namespace, Name: name}, UID: gw.UID, Class: "sluice", Controller: "sluice.dev/go",
		Ports: []provision.Port{{Number: 80, Protocol: corev1.ProtocolTCP}}, Drain: 30 * time.Second,
	}
}

// ours are the objects of a kind that are labelled as ours.
func ours[T client.ObjectList](r *rig, list T) []client.Object {
	r.Helper()
	r.must(r.client.List(r.Context(), list, client.InNamespace(r.namespace), client.MatchingLabels{"app.kubernetes.io/managed-by": "sluice"}))
	var objects []client.Object
	_ = meta.EachListItem(list, func(o runtime.Object) error {
		objects = append(objects, o.(client.Object))
		return nil
	})
	return objects
}

// lists are the kinds that are made.
func lists() []client.ObjectList {
	return []client.ObjectList{
		&corev1.ServiceAccountList{}, &corev1.ConfigMapList{}, &networkingv1.NetworkPolicyList{},
		&appsv1.DeploymentList{}, &policyv1.PodDisruptionBudgetList{}, &corev1.ServiceList{},
	}
}

// each waits until there is one object of every kind.
func (r *rig) each() []client.Object {
	r.Helper()
	var all []client.Object
	r.eventually("one object of each kind", func() error {
		all = nil
		for _, list := range lists() {
			found := ours(r, list)
			if len(found) != 1 || found[0].GetDeletionTimestamp() != nil {
				return fmt.Errorf("%d of %T", len(found), list)
			}
			all = append(all, found...)
		}
		return nil
	})
	return all
}

// nothing waits until there is no object of any kind, but for pods on their way
// out.
func (r *rig) nothing() {
	r.Helper()
	r.eventually("nothing left", func() error {
		for _, list := range append(lists(), &corev1.PodList{}) {
			if found := ours(r, list); len(found) > 0 {
				return fmt.Errorf("%T: %s is still there", found[0], found[0].GetName())
			}
		}
		return nil
	})
}

func only[T client.Object](r *rig) T {
	r.Helper()
	for _, obj := range r.each() {
		if made, ok := obj.(T); ok {
			return made
		}
	}
	panic("no such kind")
}

// state waits until the state of a unit is as a check wants it.
func (r *rig) state(owner ir.Object, what string, check func(provision.State) bool) provision.State {
	r.Helper()
	var state provision.State
	r.eventually(what, func() error {
		var known bool
		if state, known = r.provisioner.State(owner); known && check(state) {
			return nil
		}
		text, _ := json.Marshal(state)
		return fmt.Errorf("known %v: %s", known, text)
	})
	return state
}

func lacks(reason string, words ...string) func(provision.State) bool {
	return func(s provision.State) bool {
		if s.Lack == nil || s.Lack.Reason != reason {
			return false
		}
		for _, w := range words {
			if !strings.Contains(s.Lack.Message, w) {
				return false
			}
		}
		return true
	}
}

func lacksNothing(s provision.State) bool { return s.Lack == nil }

// ready says of the pods of a Deployment that they are ready, as a kubelet would.
func (r *rig) ready(deployment string) {
	r.Helper()
	r.eventually("pods of "+deployment, func() error {
		d := &appsv1.Deployment{}
		if err := r.client.Get(r.Context(), client.ObjectKey{Namespace: r.namespace, Name: deployment}, d); err != nil {
			return err
		}
		pods := &corev1.PodList{}
		r.must(r.client.List(r.Context(), pods, client.InNamespace(r.namespace), client.MatchingLabels(d.Spec.Selector.MatchLabels)))
		if len(pods.Items) < int(*d.Spec.Replicas) {
			return fmt.Errorf("%d pods", len(pods.Items))
		}
		for i := range pods.Items {
			pods.Items[i].Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
			if err := r.client.Status().Update(r.Context(), &pods.Items[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// balance gives the Service addresses, as a load balancer's controller would.
func (r *rig) balance(addresses ...string) {
	r.Helper()
	r.eventually("a Service with an address", func() error {
		found := ours(r, &corev1.ServiceList{})
		if len(found) != 1 {
			return fmt.Errorf("%d Services", len(found))
		}
		svc := found[0].(*corev1.Service)
		svc.Status.LoadBalancer.Ingress = nil
		for _, a := range addresses {
			svc.Status.LoadBalancer.Ingress = append(svc.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: a})
		}
		return r.client.Status().Update(r.Context(), svc)
	})
}

func (r *rig) reread(obj client.Object) error {
	return r.client.Get(r.Context(), client.ObjectKeyFromObject(obj), obj)
}

func gone(err error) error {
	switch {
	case err == nil:
		return fmt.Errorf("it is still there")
	case apierrors.IsNotFound(err):
		return nil
	}
	return err
}
