package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/test/e2e/rig"
)

var managed = client.MatchingLabels{"app.kubernetes.io/managed-by": "sluice"}

// generated are the kinds of all that is made for a Gateway.
func generated() []client.ObjectList {
	return []client.ObjectList{
		&appsv1.DeploymentList{}, &corev1.PodList{}, &corev1.ServiceList{}, &corev1.ServiceAccountList{},
		&corev1.ConfigMapList{}, &policyv1.PodDisruptionBudgetList{}, &networkingv1.NetworkPolicyList{},
	}
}

// everythingOf returns the names of all that Sluice has made in a namespace.
func everythingOf(ctx context.Context, ns string) ([]string, error) {
	var names []string
	for _, list := range generated() {
		if err := sluice.Client.List(ctx, list, client.InNamespace(ns), managed); err != nil {
			return nil, err
		}
		err := meta.EachListItem(list, func(o runtime.Object) error {
			names = append(names, fmt.Sprintf("%T %s", o, o.(client.Object).GetName()))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return names, nil
}

// When a Gateway goes, so does all that was made for it, and the routes' status
// of it.
func TestDeletionLeavesNothing(t *testing.T) {
	ns := sluice.Namespace(t)
	sluice.Backend(t, ns, "shop", 1)
	sluice.Apply(t, ns, fmt.Sprintf(plain, "gone", "gone.example"))
	gateway := sluice.Programmed(t, ns, "gone")
	sluice.RouteAccepted(t, ns, "gone")
	if names, err := everythingOf(t.Context(), ns); err != nil || len(names) < len(generated())-1 {
		t.Fatalf("for a Gateway that is Programmed there are %v, %v", names, err)
	}
	if err := sluice.Client.Delete(t.Context(), gateway); err != nil {
		t.Fatal(err)
	}
	rig.Eventually(t, "nothing of the Gateway to be left", func(ctx context.Context) error {
		names, err := everythingOf(ctx, ns)
		if err == nil && len(names) > 0 {
			err = fmt.Errorf("there are %v", names)
		}
		return err
	})
	rig.Eventually(t, "the route to have no parent status", func(ctx context.Context) error {
		var route gatewayv1.HTTPRoute
		err := sluice.Client.Get(ctx, client.ObjectKey{Namespace: ns, Name: "gone"}, &route)
		if err == nil && len(route.Status.Parents) > 0 {
			err = fmt.Errorf("its parents are %+v", route.Status.Parents)
		}
		return err
	})
}

// edit is what somebody does by hand to an object that is Sluice's.
type edit struct {
	name string
	list client.ObjectList
	// do changes an object, or is nil to delete it.
	do func(client.Object)
	// same reports whether the object is again as it was.
	same func(before, after client.Object) bool
}

func edits() []edit {
	return []edit{
		{
			"a Service's selector", &corev1.ServiceList{},
			func(o client.Object) { o.(*corev1.Service).Spec.Selector = map[string]string{"app": "other"} },
			func(a, b client.Object) bool {
				return fmt.Sprint(a.(*corev1.Service).Spec.Selector) == fmt.Sprint(b.(*corev1.Service).Spec.Selector)
			},
		},
		{
			"a Deployment's image", &appsv1.DeploymentList{},
			func(o client.Object) { o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image = "other:1" },
			func(a, b client.Object) bool {
				return a.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image == b.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image
			},
		},
		{
			"a ConfigMap's CA", &corev1.ConfigMapList{},
			func(o client.Object) { o.(*corev1.ConfigMap).Data = map[string]string{"ca.crt": "nobody's"} },
			func(a, b client.Object) bool {
				return a.(*corev1.ConfigMap).Data["ca.crt"] == b.(*corev1.ConfigMap).Data["ca.crt"]
			},
		},
		{"a PodDisruptionBudget", &policyv1.PodDisruptionBudgetList{}, nil, func(_, _ client.Object) bool { return true }},
		{"a ServiceAccount", &corev1.ServiceAccountList{}, nil, func(_, _ client.Object) bool { return true }},
		{"a NetworkPolicy", &networkingv1.NetworkPolicyList{}, nil, func(_, _ client.Object) bool { return true }},
	}
}

// What a hand edits in a generated object, or deletes, is put right, and the
// Gateway serves on.
func TestHandEditsArePutRight(t *testing.T) {
	ns := sluice.Namespace(t)
	sluice.Backend(t, ns, "shop", 1)
	sluice.Apply(t, ns, fmt.Sprintf(plain, "edited", "edited.example"))
	gateway := sluice.Programmed(t, ns, "edited")
	for _, e := range edits() {
		t.Run(e.name, func(t *testing.T) {
			before := only(t, ns, e.list)
			change(t, e, before.DeepCopyObject().(client.Object))
			rig.Eventually(t, e.name+" to be put right", func(ctx context.Context) error {
				after := before.DeepCopyObject().(client.Object)
				if err := sluice.Client.Get(ctx, client.ObjectKeyFromObject(before), after); err != nil {
					return err
				}
				if !e.same(before, after) || e.do == nil && after.GetUID() == before.GetUID() {
					return fmt.Errorf("it is %v", after)
				}
				return nil
			})
		})
	}
	serves(t, rig.Address(t, gateway)+":80", "edited.example")
}

func change(t *testing.T, e edit, o client.Object) {
	t.Helper()
	if e.do == nil {
		if err := sluice.Client.Delete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		return
	}
	patch := client.MergeFrom(o.DeepCopyObject().(client.Object))
	e.do(o)
	if err := sluice.Client.Patch(t.Context(), o, patch); err != nil {
		t.Fatal(err)
	}
}

// only returns the one object of a kind that Sluice has made in a namespace.
func only(t *testing.T, ns string, list client.ObjectList) client.Object {
	t.Helper()
	if err := sluice.Client.List(t.Context(), list, client.InNamespace(ns), managed); err != nil {
		t.Fatal(err)
	}
	items, err := meta.ExtractList(list)
	if err != nil || len(items) != 1 {
		t.Fatalf("there are %d of %T, %v; want one", len(items), list, err)
	}
	return items[0].(client.Object)
}

// No role that we ship says "everything".
func TestRolesHaveNoWildcard(t *testing.T) {
	var roles []metav1.Object
	rules := map[metav1.Object][]rbacv1.PolicyRule{}
	var clusterRoles rbacv1.ClusterRoleList
	var namespaced rbacv1.RoleList
	ours := client.MatchingLabels{"app.kubernetes.io/name": "sluice"}
	for _, list := range []client.ObjectList{&clusterRoles, &namespaced} {
		if err := sluice.Client.List(t.Context(), list, ours); err != nil {
			t.Fatal(err)
		}
	}
	for i := range clusterRoles.Items {
		roles, rules[&clusterRoles.Items[i]] = append(roles, &clusterRoles.Items[i]), clusterRoles.Items[i].Rules
	}
	for i := range namespaced.Items {
		roles, rules[&namespaced.Items[i]] = append(roles, &namespaced.Items[i]), namespaced.Items[i].Rules
	}
	if len(clusterRoles.Items) == 0 || len(namespaced.Items) == 0 {
		t.Fatalf("%d ClusterRoles and %d Roles are ours: the labels of what is installed have changed", len(clusterRoles.Items), len(namespaced.Items))
	}
	for _, role := range roles {
		for _, rule := range rules[role] {
			if slices.Contains(slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.ResourceNames, rule.NonResourceURLs), "*") {
				t.Errorf("%s has a wildcard: %v", role.GetName(), rule)
			}
		}
	}
}

// The operator itself runs under the restricted standard; the tests' namespaces
// have it too, or no proxy would serve in any of them.
func TestOperatorIsRestricted(t *testing.T) {
	ns := rig.Get(t, sluice, client.ObjectKey{Name: rig.SystemNamespace}, &corev1.Namespace{})
	if got := ns.Labels["pod-security.kubernetes.io/enforce"]; got != "restricted" {
		t.Errorf("the namespace %s is held to %q, want restricted", ns.Name, got)
	}
}
