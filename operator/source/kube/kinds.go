package kube

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// kind is one kind of objects that is read.
type kind struct {
	name  resources.Kind
	group string
	// versions are those whose objects have the shape of the Go type, best first.
	// The Go type is that of the first.
	versions []string
	make     func() client.Object
	// plural makes the name of the CRD; empty for what every API server has.
	plural string
	// lazy kinds are watched by their metadata alone.
	lazy bool
}

// kinds are all that are read. The older versions have the shape of v1: the CRDs
// of Gateway API v1.4 serve BackendTLSPolicy v1, those of v1.5 TLSRoute and
// ListenerSet v1, those of v1.6 TCPRoute, UDPRoute and ReferenceGrant v1. A
// ListenerSet before v1.5 is of another kind and group, and is not read.
var kinds = []kind{
	gatewayAPI(resources.GatewayClass, "gatewayclasses", func() client.Object { return &gatewayv1.GatewayClass{} }, "v1"),
	gatewayAPI(resources.Gateway, "gateways", func() client.Object { return &gatewayv1.Gateway{} }, "v1"),
	gatewayAPI(resources.ListenerSet, "listenersets", func() client.Object { return &gatewayv1.ListenerSet{} }, "v1"),
	gatewayAPI(resources.HTTPRoute, "httproutes", func() client.Object { return &gatewayv1.HTTPRoute{} }, "v1"),
	gatewayAPI(resources.GRPCRoute, "grpcroutes", func() client.Object { return &gatewayv1.GRPCRoute{} }, "v1"),
	gatewayAPI(resources.TLSRoute, "tlsroutes", func() client.Object { return &gatewayv1.TLSRoute{} }, "v1", "v1alpha3", "v1alpha2"),
	gatewayAPI(resources.TCPRoute, "tcproutes", func() client.Object { return &gatewayv1.TCPRoute{} }, "v1", "v1alpha2"),
	gatewayAPI(resources.UDPRoute, "udproutes", func() client.Object { return &gatewayv1.UDPRoute{} }, "v1", "v1alpha2"),
	gatewayAPI(resources.ReferenceGrant, "referencegrants", func() client.Object { return &gatewayv1.ReferenceGrant{} }, "v1", "v1beta1"),
	gatewayAPI(resources.BackendTLSPolicy, "backendtlspolicies", func() client.Object { return &gatewayv1.BackendTLSPolicy{} }, "v1", "v1alpha3"),
	{
		name: resources.GatewayParameters, group: v1alpha1.GroupVersion.Group, versions: []string{v1alpha1.GroupVersion.Version},
		plural: "gatewayparameters", make: func() client.Object { return &v1alpha1.GatewayParameters{} },
	},
	{name: resources.Namespace, versions: []string{"v1"}, make: func() client.Object { return &corev1.Namespace{} }},
	{name: resources.Service, versions: []string{"v1"}, make: func() client.Object { return &corev1.Service{} }},
	{
		name: resources.EndpointSlice, group: discoveryv1.GroupName, versions: []string{"v1"},
		make: func() client.Object { return &discoveryv1.EndpointSlice{} },
	},
	{name: resources.Secret, versions: []string{"v1"}, lazy: true, make: func() client.Object { return &corev1.Secret{} }},
	{name: resources.ConfigMap, versions: []string{"v1"}, lazy: true, make: func() client.Object { return &corev1.ConfigMap{} }},
}

func gatewayAPI(name resources.Kind, plural string, make func() client.Object, versions ...string) kind {
	return kind{name: name, group: gatewayv1.GroupName, versions: versions, make: make, plural: plural}
}

// crd is the name of the CustomResourceDefinition; empty where there is none.
func (k *kind) crd() string {
	if k.plural == "" {
		return ""
	}
	return k.plural + "." + k.group
}

func (k *kind) gvk(version string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: k.group, Version: version, Kind: string(k.name)}
}

// best returns the version to read of those that the cluster serves.
func (k *kind) best(crd *apiextensionsv1.CustomResourceDefinition) (string, bool) {
	for _, wanted := range k.versions {
		for i := range crd.Spec.Versions {
			if v := &crd.Spec.Versions[i]; v.Name == wanted && v.Served {
				return wanted, true
			}
		}
	}
	return "", false
}

// definitionKind is how CustomResourceDefinitions are watched: as metadata.
var definitionKind = apiextensionsv1.SchemeGroupVersion.WithKind(string(resources.CRD))

// AddToScheme adds the types of all kinds that are read, and of what decides how.
func AddToScheme(s *runtime.Scheme) error {
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, discoveryv1.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme, apiextensionsv1.AddToScheme, metav1.AddMetaToScheme,
	} {
		if err := add(s); err != nil {
			return err
		}
	}
	return nil
}
