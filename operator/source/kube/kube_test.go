package kube

import (
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
	"github.com/sluice-gateway/sluice/operator/source/dir/schema"
)

// Every kind that a directory can hold is read from a cluster too.
func TestKindsAreThoseOfADirectory(t *testing.T) {
	have := (&Source{}).Kinds()
	for _, k := range schema.NewCatalog().Kinds() {
		if !slices.Contains(have, k) {
			t.Errorf("%s is not read from a cluster", k)
		}
	}
}

func TestBestVersion(t *testing.T) {
	serving := func(versions ...string) *apiextensionsv1.CustomResourceDefinition {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		for _, v := range versions {
			name, off := v, v[0] == '-'
			if off {
				name = v[1:]
			}
			crd.Spec.Versions = append(crd.Spec.Versions, apiextensionsv1.CustomResourceDefinitionVersion{Name: name, Served: !off})
		}
		return crd
	}
	k := kindOf(resources.TLSRoute)
	for want, crd := range map[string]*apiextensionsv1.CustomResourceDefinition{
		"v1":       serving("v1alpha2", "v1alpha3", "v1"),
		"v1alpha3": serving("v1alpha2", "v1alpha3", "-v1"),
		"v1alpha2": serving("v1alpha2", "v2"),
		"":         serving("-v1", "v2"),
	} {
		if got, ok := k.best(crd); got != want || ok != (want != "") {
			t.Errorf("of %v: %q", crd.Spec.Versions, got)
		}
	}
	if kindByCRD("tlsroutes.gateway.networking.k8s.io") != k || kindByCRD("") != nil || kindByCRD("pods.example.com") != nil {
		t.Error("a CRD's name leads to another kind")
	}
}

// What is not translated is no change.
func TestDiffers(t *testing.T) {
	moment := metav1.NewTime(time.Unix(1, 0))
	route := func(change func(*gatewayv1.HTTPRoute)) client.Object {
		r := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{UID: "1", Generation: 3, ResourceVersion: "7"}}
		change(r)
		return r
	}
	slice := func(change func(*discoveryv1.EndpointSlice)) client.Object {
		s := &discoveryv1.EndpointSlice{Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.1"}}}}
		change(s)
		return s
	}
	service := func(change func(*corev1.Service)) client.Object {
		s := &corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: "192.0.2.1"}}
		change(s)
		return s
	}
	for name, c := range map[string]struct {
		old, next client.Object
		want      bool
	}{
		"a status": {route(func(*gatewayv1.HTTPRoute) {}), route(func(r *gatewayv1.HTTPRoute) {
			r.ResourceVersion, r.Status.Parents = "8", []gatewayv1.RouteParentStatus{{}}
		}), false},
		"kubectl's copy": {route(func(*gatewayv1.HTTPRoute) {}), route(func(r *gatewayv1.HTTPRoute) {
			r.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: "{}"}
		}), false},
		"a spec":        {route(func(*gatewayv1.HTTPRoute) {}), route(func(r *gatewayv1.HTTPRoute) { r.Generation++ }), true},
		"a label":       {route(func(*gatewayv1.HTTPRoute) {}), route(func(r *gatewayv1.HTTPRoute) { r.Labels = map[string]string{"a": "b"} }), true},
		"an annotation": {route(func(*gatewayv1.HTTPRoute) {}), route(func(r *gatewayv1.HTTPRoute) { r.Annotations = map[string]string{"a": "b"} }), true},
		"a deletion":    {route(func(*gatewayv1.HTTPRoute) {}), route(func(r *gatewayv1.HTTPRoute) { r.DeletionTimestamp = &moment }), true},
		"another one":   {route(func(*gatewayv1.HTTPRoute) {}), route(func(r *gatewayv1.HTTPRoute) { r.UID = "2" }), true},
		"a trigger": {slice(func(*discoveryv1.EndpointSlice) {}), slice(func(s *discoveryv1.EndpointSlice) {
			s.Generation, s.Annotations = 9, map[string]string{corev1.EndpointsLastChangeTriggerTime: "now"}
		}), false},
		"an endpoint":      {slice(func(*discoveryv1.EndpointSlice) {}), slice(func(s *discoveryv1.EndpointSlice) { s.Endpoints = nil }), true},
		"a load balancer":  {service(func(*corev1.Service) {}), service(func(s *corev1.Service) { s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{}} }), false},
		"a Service's spec": {service(func(*corev1.Service) {}), service(func(s *corev1.Service) { s.Spec.ClusterIP = "192.0.2.2" }), true},
	} {
		if got := differs(c.old, c.next); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// No kind reaches the engine with its status or with what nothing reads.
func TestBare(t *testing.T) {
	for i := range kinds {
		if kinds[i].lazy {
			continue
		}
		o := kinds[i].make()
		o.SetName("a")
		o.SetResourceVersion("7")
		o.SetGeneration(2)
		got := bare(o)
		if got == o || got.GetName() != "a" || got.GetResourceVersion() != "" {
			t.Errorf("%s is handed on as %#v", kinds[i].name, got)
		}
	}
	r := &gatewayv1.HTTPRoute{Status: gatewayv1.HTTPRouteStatus{RouteStatus: gatewayv1.RouteStatus{Parents: []gatewayv1.RouteParentStatus{{}}}}}
	if got := bare(r).(*gatewayv1.HTTPRoute); got.Status.Parents != nil || len(r.Status.Parents) != 1 {
		t.Error("the status is handed on, or taken from the cache")
	}
}

// What is not to be kept of a Secret is in its metadata too.
func TestMetadataAloneIsAName(t *testing.T) {
	secret := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default", Name: "cert", UID: "1", ResourceVersion: "7",
		Annotations: map[string]string{corev1.LastAppliedConfigAnnotation: `{"data":{"tls.key":"c2VjcmV0"}}`},
	}}
	if _, err := stripManagers("me")(secret); err != nil || secret.Annotations != nil || secret.Name != "cert" || secret.ResourceVersion != "7" {
		t.Errorf("kept: %+v, %v", secret.ObjectMeta, err)
	}
}

func TestStripManagers(t *testing.T) {
	r := &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{
		{Manager: "kubectl", FieldsV1: &metav1.FieldsV1{}}, {Manager: "me", FieldsV1: &metav1.FieldsV1{}},
	}}}
	if _, err := stripManagers("me")(r); err != nil || len(r.ManagedFields) != 1 || r.ManagedFields[0].FieldsV1 != nil {
		t.Errorf("%v, %v", r.ManagedFields, err)
	}
	if out, err := stripManagers("me")("no object"); err != nil || out != "no object" {
		t.Errorf("%v, %v", out, err)
	}
}

// A CRD that is just being made is neither there nor missing: nothing is told
// of it until it is established, or until its names are refused.
func TestCRDInTheMaking(t *testing.T) {
	const name = "tcproutes.gateway.networking.k8s.io"
	type condition = apiextensionsv1.CustomResourceDefinitionCondition
	crd := func(conditions ...condition) *apiextensionsv1.CustomResourceDefinition {
		return &apiextensionsv1.CustomResourceDefinition{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Status: apiextensionsv1.CustomResourceDefinitionStatus{Conditions: conditions},
		}
	}
	unnamed := condition{Type: apiextensionsv1.NamesAccepted, Status: apiextensionsv1.ConditionFalse}
	for _, c := range []struct {
		what    string
		crd     *apiextensionsv1.CustomResourceDefinition
		decided bool
		missing bool
	}{
		{"no condition yet", crd(), false, false},
		{"names accepted, not established yet", crd(condition{Type: apiextensionsv1.NamesAccepted, Status: apiextensionsv1.ConditionTrue}), false, false},
		{"its names are another's", crd(unnamed), true, true},
		{"it was decided before", crd(), true, true},
	} {
		var told []source.Batch
		d := newDefinitions(&Source{opts: Options{Log: logr.Discard()}}, func(b source.Batch) { told = append(told, b) })
		if c.what == "it was decided before" {
			delete(d.undecided, name)
		}
		d.take(t.Context(), c.crd)
		if missing := len(told) > 0; missing != c.missing || d.undecided[name] == c.decided {
			t.Errorf("%s: told %d times, undecided %v", c.what, len(told), d.undecided[name])
		}
	}
}
