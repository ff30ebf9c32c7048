package schema

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/operator/resources"
)

const (
	gatewayGroup = "gateway.networking.k8s.io"
	sluiceGroup  = "sluice.dev"
)

// kind is one kind of object that Sluice reads.
type kind struct {
	group string
	name  string
	// versions are the served ones that share the type of the first.
	versions []string
	// file is the CustomResourceDefinition; empty for a core kind.
	file    string
	cluster bool
	new     func() resources.Object
}

func (k *kind) gatewayAPI() bool { return k.group == gatewayGroup }

func (k *kind) apiVersions() []string {
	versions := slices.Clone(k.versions)
	if k.group == "" {
		return versions
	}
	for i, v := range versions {
		versions[i] = k.group + "/" + v
	}
	return versions
}

func gateway(name, file string, make func() resources.Object, older ...string) *kind {
	return &kind{
		group: gatewayGroup, name: name, new: make,
		versions: append([]string{"v1"}, older...), file: "crd/" + gatewayGroup + "_" + file + ".yaml",
	}
}

func clusterWide(k *kind) *kind {
	k.cluster = true
	return k
}

func kinds() []*kind {
	return append(gatewayKinds(), coreKinds()...)
}

func gatewayKinds() []*kind {
	return []*kind{
		clusterWide(gateway("GatewayClass", "gatewayclasses", func() resources.Object { return &gatewayv1.GatewayClass{} }, "v1beta1")),
		gateway("Gateway", "gateways", func() resources.Object { return &gatewayv1.Gateway{} }, "v1beta1"),
		gateway("ListenerSet", "listenersets", func() resources.Object { return &gatewayv1.ListenerSet{} }),
		gateway("HTTPRoute", "httproutes", func() resources.Object { return &gatewayv1.HTTPRoute{} }, "v1beta1"),
		gateway("GRPCRoute", "grpcroutes", func() resources.Object { return &gatewayv1.GRPCRoute{} }),
		gateway("TLSRoute", "tlsroutes", func() resources.Object { return &gatewayv1.TLSRoute{} }, "v1alpha3", "v1alpha2"),
		gateway("TCPRoute", "tcproutes", func() resources.Object { return &gatewayv1.TCPRoute{} }, "v1alpha2"),
		gateway("UDPRoute", "udproutes", func() resources.Object { return &gatewayv1.UDPRoute{} }, "v1alpha2"),
		gateway("ReferenceGrant", "referencegrants", func() resources.Object { return &gatewayv1.ReferenceGrant{} }, "v1beta1"),
		gateway("BackendTLSPolicy", "backendtlspolicies", func() resources.Object { return &gatewayv1.BackendTLSPolicy{} }, "v1alpha3"),
	}
}

func coreKinds() []*kind {
	return []*kind{
		{
			group: sluiceGroup, name: "GatewayParameters", versions: []string{"v1alpha1"}, file: "sluice.dev_gatewayparameters.yaml",
			new: func() resources.Object { return &v1alpha1.GatewayParameters{} },
		},
		{name: "Service", versions: []string{"v1"}, new: func() resources.Object { return &corev1.Service{} }},
		{name: "Secret", versions: []string{"v1"}, new: func() resources.Object { return &corev1.Secret{} }},
		{name: "ConfigMap", versions: []string{"v1"}, new: func() resources.Object { return &corev1.ConfigMap{} }},
		{name: "Namespace", versions: []string{"v1"}, cluster: true, new: func() resources.Object { return &corev1.Namespace{} }},
		{
			group: "discovery.k8s.io", name: "EndpointSlice", versions: []string{"v1"},
			new: func() resources.Object { return &discoveryv1.EndpointSlice{} },
		},
	}
}

// Type names the type of an object as its author wrote it.
type Type struct {
	APIVersion string
	Kind       string
}

func (t Type) group() (group, version string) {
	if i := strings.LastIndexByte(t.APIVersion, '/'); i >= 0 {
		return t.APIVersion[:i], t.APIVersion[i+1:]
	}
	return "", t.APIVersion
}

// find returns the kind and version that a type names. Without an error and a
// kind, the type is none that Sluice reads.
func (c *Catalog) find(t Type) (*kind, string, *Fault) {
	group, version := t.group()
	for _, k := range c.kinds {
		if k.name != t.Kind || k.group != group {
			continue
		}
		if slices.Contains(k.versions, version) {
			return k, version, nil
		}
		return nil, "", &Fault{Field: "apiVersion", Message: fmt.Sprintf(
			"%s has no version %q that Sluice reads: write apiVersion: %s", t.Kind, t.APIVersion, strings.Join(k.apiVersions(), " or "))}
	}
	return nil, "", c.unknown(t, group)
}

func (c *Catalog) unknown(t Type, group string) *Fault {
	for _, k := range c.kinds {
		if k.name == t.Kind && (k.group != "" || group == "") {
			return &Fault{Field: "apiVersion", Message: fmt.Sprintf(
				"%s is not of %q: write apiVersion: %s", t.Kind, t.APIVersion, strings.Join(k.apiVersions(), " or "))}
		}
	}
	if group != gatewayGroup && group != sluiceGroup {
		return nil
	}
	var names []string
	for _, k := range c.kinds {
		if k.group == group {
			names = append(names, k.name)
		}
	}
	return &Fault{Field: "kind", Message: fmt.Sprintf("%s has no kind %q, it has %s%s", t.APIVersion, t.Kind, strings.Join(names, ", "), suggestion(t.Kind, names))}
}
