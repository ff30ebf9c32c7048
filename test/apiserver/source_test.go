package apiserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func only(list []*apiextensionsv1.CustomResourceDefinition, plurals ...string) []*apiextensionsv1.CustomResourceDefinition {
	return slices.DeleteFunc(slices.Clone(list), func(c *apiextensionsv1.CustomResourceDefinition) bool {
		return !slices.Contains(plurals, c.Spec.Names.Plural)
	})
}

func without(list []*apiextensionsv1.CustomResourceDefinition, plurals ...string) []*apiextensionsv1.CustomResourceDefinition {
	return slices.DeleteFunc(slices.Clone(list), func(c *apiextensionsv1.CustomResourceDefinition) bool {
		return slices.Contains(plurals, c.Spec.Names.Plural)
	})
}

func supports(s *server, gc *gatewayv1.GatewayClass, feature string) bool {
	return slices.Contains(get(s, gc).Status.SupportedFeatures, gatewayv1.SupportedFeature{Name: gatewayv1.FeatureName(feature)})
}

func tcpGateway(name string) *gatewayv1.Gateway {
	gw := gateway(name)
	gw.Spec.Listeners = []gatewayv1.Listener{{Name: "tcp", Port: 9000, Protocol: gatewayv1.TCPProtocolType}}
	return gw
}

func tcpRoute(name, parent string) *gatewayv1.TCPRoute {
	port := gatewayv1.PortNumber(8080)
	r := &gatewayv1.TCPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	r.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: gatewayv1.ObjectName(parent)}}
	r.Spec.Rules = []gatewayv1.TCPRouteRule{{BackendRefs: []gatewayv1.BackendRef{{
		BackendObjectReference: gatewayv1.BackendObjectReference{Name: "web", Port: &port},
	}}}}
	return r
}

// Kinds come and go with their CRDs, in whichever version they are served, and
// nothing else notices.
func TestKindsFollowCRDs(t *testing.T) {
	s := newServer(t)
	all := crds(t, "experimental")
	s.install(without(crds(t, "standard"), "tcproutes", "udproutes", "listenersets")...)
	o := s.operate(t, settings{})
	gc, gw, tcp := class(), gateway("main"), tcpGateway("tcp")
	s.create(gc, gw, tcp, service("web"), route("a", "main"))
	until(t, "what is there is served", func() bool {
		return attached(s, gw) == 1 && holds(get(s, gc).Status.Conditions, "SupportedVersion", 1) &&
			supports(s, gc, "HTTPRouteCORS") && !supports(s, gc, "TCPRoute") && !supports(s, gc, "ListenerSet") && !supports(s, gc, "HTTPRouteRetry")
	})
	s.install(only(all, "tcproutes", "httproutes")...)
	s.create(tcpRoute("t", "tcp"))
	until(t, "what appears is served", func() bool {
		return attached(s, tcp) == 1 && supports(s, gc, "TCPRoute") && supports(s, gc, "HTTPRouteRetry")
	})
	crd := only(all, "tcproutes")[0]
	s.must(s.client.Delete(context.Background(), &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: crd.Name}}))
	until(t, "what goes is not served", func() bool { return attached(s, tcp) == 0 && !supports(s, gc, "TCPRoute") })
	older := crd.DeepCopy()
	older.Spec.Versions = slices.DeleteFunc(older.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == "v1" })
	older.Spec.Versions[0].Storage = true
	s.install(older)
	old := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"parentRefs": []any{map[string]any{"name": "tcp"}},
		"rules":      []any{map[string]any{"backendRefs": []any{map[string]any{"name": "web", "port": int64(8080)}}}},
	}}}
	old.SetAPIVersion("gateway.networking.k8s.io/v1alpha2")
	old.SetKind("TCPRoute")
	old.SetNamespace("default")
	old.SetName("old")
	s.create(old)
	until(t, "an older version is served", func() bool {
		parents, _, _ := unstructured.NestedSlice(get(s, old).Object, "status", "parents")
		return attached(s, tcp) == 1 && supports(s, gc, "TCPRoute") && len(parents) == 1
	})
	s.install(crd)
	until(t, "and so is the newer one when it comes", func() bool {
		gvk, ok := o.source.Served("TCPRoute")
		return ok && gvk.Version == "v1" && attached(s, tcp) == 1
	})
	if attached(s, gw) != 1 {
		t.Error("the other Gateway noticed")
	}
	if n := o.log.count(`"error"`); n > 3 {
		t.Errorf("%d errors in the log", n)
	}
}

// CRDs that are newer than Sluice do no harm, and what others write into fields
// that Sluice does not know stays.
func TestNewerCRDs(t *testing.T) {
	s := newServer(t)
	list := crds(t, "experimental")
	for _, crd := range list {
		crd.Annotations["gateway.networking.k8s.io/bundle-version"] = "v1.7.0"
		if crd.Spec.Names.Plural != "httproutes" {
			continue
		}
		root := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
		text := apiextensionsv1.JSONSchemaProps{Type: "string"}
		root.Properties["spec"].Properties["rules"].Items.Schema.Properties["novelty"] = text
		root.Properties["status"].Properties["novelty"] = text
		root.Properties["status"].Properties["parents"].Items.Schema.Properties["novelty"] = text
	}
	s.install(list...)
	s.operate(t, settings{})
	gc, gw := class(), gateway("main")
	s.create(gc, gw, service("web"))
	until(t, "the version is told to be unknown, and the class accepted", func() bool {
		c := meta.FindStatusCondition(get(s, gc).Status.Conditions, "SupportedVersion")
		return c != nil && c.Status == "False" && c.Reason == "UnsupportedVersion" && strings.Contains(c.Message, "v1.7.0") &&
			holds(gc.Status.Conditions, "Accepted", 1)
	})
	r := route("novel", "other-0")
	s.create(r)
	theirs(s, r, 2)
	s.must(s.client.Status().Patch(context.Background(), r.DeepCopy(), client.RawPatch(types.JSONPatchType, []byte(
		`[{"op":"add","path":"/status/parents/0/novelty","value":"x"},{"op":"add","path":"/status/novelty","value":"y"}]`))))
	s.must(s.client.Patch(context.Background(), r.DeepCopy(), client.RawPatch(types.JSONPatchType, []byte(
		`[{"op":"add","path":"/spec/parentRefs/-","value":{"name":"main"}},{"op":"add","path":"/spec/rules/0/novelty","value":"z"}]`))))
	until(t, "the route is accepted", func() bool { return accepted(s, r) })
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: "v1", Kind: "HTTPRoute"})
	s.must(s.client.Get(context.Background(), client.ObjectKeyFromObject(r), u))
	whole, _, _ := unstructured.NestedString(u.Object, "status", "novelty")
	rules, _, _ := unstructured.NestedSlice(u.Object, "spec", "rules")
	if !strings.Contains(foreign(s, "novel"), `"novelty":"x"`) || whole != "y" || rules[0].(map[string]any)["novelty"] != "z" {
		t.Errorf("lost: %v", u.Object)
	}
}

// pair is a certificate with its key, as a Secret.
func pair(t *testing.T, namespace, name string) *corev1.Secret {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<60))
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{"example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{
			"tls.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
			"tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		},
	}
}

func tlsGateway(name, secret string) *gatewayv1.Gateway {
	gw := gateway(name)
	gw.Spec.Listeners = append(gw.Spec.Listeners, gatewayv1.Listener{
		Name: "https", Port: 443, Protocol: gatewayv1.HTTPSProtocolType,
		TLS: &gatewayv1.ListenerTLSConfig{CertificateRefs: []gatewayv1.SecretObjectReference{{Name: gatewayv1.ObjectName(secret)}}},
	})
	return gw
}

// reason is that of a listener's condition.
func reason(s *server, gw *gatewayv1.Gateway, condition string) string {
	for _, l := range get(s, gw).Status.Listeners {
		if c := meta.FindStatusCondition(l.Conditions, condition); l.Name == "https" && c != nil {
			return c.Reason
		}
	}
	return ""
}

// served is the certificate that a unit is given.
func served(o *operator, name string) string {
	for _, u := range o.last.get().Units {
		if u.Owner.Name == name && u.Output.Proxy != nil && len(u.Output.Proxy.Certificates) > 0 {
			return u.Output.Proxy.Certificates[0].Chain
		}
	}
	return ""
}

// Secrets are read when something refers to them, and again when they change.
func TestSecrets(t *testing.T) {
	s := newServer(t)
	s.install(crds(t, "experimental")...)
	for i := range 50 {
		s.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("other-%d", i)}})
	}
	secret, gw := pair(t, "default", "cert"), tlsGateway("main", "cert")
	s.create(class(), secret, gw)
	o := s.operate(t, settings{})
	until(t, "the listener is served", func() bool {
		return reason(s, gw, "ResolvedRefs") == "ResolvedRefs" && served(o, "main") == string(secret.Data["tls.crt"])
	})
	renewed := pair(t, "default", "cert")
	s.must(s.client.Update(context.Background(), renewed))
	until(t, "the new certificate is served", func() bool { return served(o, "main") == string(renewed.Data["tls.crt"]) })
	s.must(s.client.Delete(context.Background(), renewed))
	until(t, "the certificate is missed", func() bool { return reason(s, gw, "ResolvedRefs") == "InvalidCertificateRef" })
	again := pair(t, "default", "cert")
	s.create(again)
	until(t, "the certificate is back", func() bool {
		return reason(s, gw, "ResolvedRefs") == "ResolvedRefs" && served(o, "main") == string(again.Data["tls.crt"])
	})
	for _, line := range s.lines(func(w write) bool { return w.Verb == "get" }) {
		if line.ObjectRef.Name != "cert" {
			t.Errorf("read: %+v", line)
		}
	}
}

// What nothing is translated from is no round of the engine.
func TestChurn(t *testing.T) {
	s := newServer(t)
	s.install(crds(t, "experimental")...)
	o := s.operate(t, settings{})
	gw, r, web := gateway("main"), route("a", "main"), service("web")
	web.Spec.Type = corev1.ServiceTypeLoadBalancer
	port := int32(8080)
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Name: "web-1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Port: &port}},
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.7"}}},
	}
	s.create(class(), gw, web, slice, r)
	until(t, "all is well", func() bool {
		return accepted(s, r) && attached(s, gw) == 1 && holds(gw.Status.Conditions, "Programmed", 1)
	})
	theirs(s, r, 1)
	slice.Annotations = map[string]string{corev1.EndpointsLastChangeTriggerTime: "2026-01-01T00:00:00Z"}
	s.must(s.client.Update(context.Background(), slice))
	get(s, web).Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.9"}}
	s.must(s.client.Status().Update(context.Background(), web))
	seen := func(obj client.Object, kind string) func() bool {
		return func() bool {
			have := o.object(kind, obj.GetName())
			return have != nil && have.GetResourceVersion() == obj.GetResourceVersion()
		}
	}
	before, rounds := o.engine.Counters.Translations.Load(), o.engine.Counters.Rounds.Load()
	get(s, gw)
	theirs(s, r, 1)
	slice.Annotations = map[string]string{corev1.EndpointsLastChangeTriggerTime: "2026-01-01T00:00:01Z"}
	s.must(s.client.Update(context.Background(), slice))
	until(t, "the writes were seen", func() bool { return seen(r, "HTTPRoute")() && seen(slice, "EndpointSlice")() && seen(web, "Service")() })
	if t1, r1 := o.engine.Counters.Translations.Load(), o.engine.Counters.Rounds.Load(); t1 != before || r1 != rounds {
		t.Errorf("%d translations and %d rounds for nothing", t1-before, r1-rounds)
	}
	updates := o.engine.Counters.EndpointUpdates.Load()
	slice.Endpoints[0].Addresses[0] = "192.0.2.8"
	s.must(s.client.Update(context.Background(), slice))
	until(t, "the endpoint arrives", func() bool { return o.engine.Counters.EndpointUpdates.Load() == updates+1 })
	if t1, r1 := o.engine.Counters.Translations.Load(), o.engine.Counters.Rounds.Load(); t1 != before || r1 != rounds+1 {
		t.Errorf("%d translations and %d rounds for an endpoint", t1-before, r1-rounds)
	}
}

// Namespaces that are not watched do not exist, and classes do.
func TestWatchedNamespaces(t *testing.T) {
	s := newServer(t)
	s.install(crds(t, "experimental")...)
	s.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "mine"}})
	o := s.operate(t, settings{namespaces: []string{"mine"}})
	gc, watched, other := class(), gateway("main"), gateway("main")
	watched.Namespace = "mine"
	s.create(gc, other, watched)
	until(t, "the watched Gateway is programmed", func() bool {
		return holds(get(s, watched).Status.Conditions, "Programmed", 1) && holds(get(s, gc).Status.Conditions, "Accepted", 1)
	})
	if n := len(o.last.get().Units); n != 1 || holds(get(s, other).Status.Conditions, "Accepted", 1) {
		t.Errorf("%d units", n)
	}
}

// Without permission for a kind nothing false is written; the log says why, and it
// goes on once there is permission.
func TestForbidden(t *testing.T) {
	s := newServer(t)
	s.install(crds(t, "experimental")...)
	user, err := s.env.AddUser(envtest.User{Name: "operator", Groups: []string{"operators"}}, s.config)
	s.must(err)
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "operator"}, Rules: slices.Clone(needed)}
	for i := range role.Rules {
		role.Rules[i].Resources = slices.DeleteFunc(slices.Clone(role.Rules[i].Resources), func(r string) bool { return r == "udproutes" })
	}
	s.create(role, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "operator"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "operator"},
		Subjects: []rbacv1.Subject{{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "operators"}},
	})
	config := user.Config()
	config.QPS = -1
	o := s.operate(t, settings{config: config})
	gw := gateway("main")
	s.create(class(), gw)
	until(t, "the log says what is forbidden", func() bool { return o.log.count("udproutes") > 0 })
	until(t, "all else is known", func() bool { return o.object("Gateway", "main") != nil })
	if o.last.get().Complete {
		t.Error("all is known, and nobody knows which UDPRoutes there are")
	}
	if c := get(s, gw).Status.Conditions; holds(c, "Accepted", 1) {
		t.Errorf("written, and nobody knows which UDPRoutes there are: %+v", c)
	}
	role.Rules = needed
	s.must(s.client.Update(context.Background(), role))
	until(t, "it goes on", func() bool { return holds(get(s, gw).Status.Conditions, "Programmed", 1) })
	if n := o.log.count("udproutes"); n > 2 {
		t.Errorf("%d lines about the same", n)
	}
}

// needed are the permissions that reading and writing statuses take.
var needed = []rbacv1.PolicyRule{
	{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"}, Verbs: []string{"get", "list", "watch"}},
	{APIGroups: []string{""}, Resources: []string{"namespaces", "services"}, Verbs: []string{"list", "watch"}},
	{APIGroups: []string{""}, Resources: []string{"secrets", "configmaps"}, Verbs: []string{"get", "list", "watch"}},
	{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"list", "watch"}},
	{APIGroups: []string{"sluice.dev"}, Resources: []string{"gatewayparameters"}, Verbs: []string{"list", "watch"}},
	{
		APIGroups: []string{gatewayv1.GroupName}, Verbs: []string{"get", "list", "watch"},
		Resources: []string{
			"gatewayclasses", "gateways", "listenersets", "httproutes", "grpcroutes", "tlsroutes", "tcproutes", "udproutes", "backendtlspolicies",
		},
	},
	{APIGroups: []string{gatewayv1.GroupName}, Resources: []string{"referencegrants"}, Verbs: []string{"list", "watch"}},
	{
		APIGroups: []string{gatewayv1.GroupName}, Verbs: []string{"patch"},
		Resources: []string{
			"gatewayclasses/status", "gateways/status", "listenersets/status", "httproutes/status", "grpcroutes/status",
			"tlsroutes/status", "tcproutes/status", "udproutes/status", "backendtlspolicies/status",
		},
	},
}
