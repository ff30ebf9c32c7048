package apiserver

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/test/e2e/rig"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

// The versions of Gateway API that the tests apply: the one that the product is
// built with, and one that it knows nothing of.
const (
	known = "v1.6.3"
	newer = "v1.7.0"
)

// definitions returns the CRDs of a version and channel by their file names. They
// are read out of the module's archive: the module itself may need another Go.
func definitions(t *testing.T, version, channel string) map[string]string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", "sigs.k8s.io/gateway-api@"+version)
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	var module struct{ Zip, Error string }
	if json.Unmarshal(out, &module) != nil || module.Zip == "" {
		t.Skipf("Gateway API %s cannot be had here: %v %s", version, err, module.Error)
	}
	archive, err := zip.OpenReader(module.Zip)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	files := map[string]string{}
	prefix := "sigs.k8s.io/gateway-api@" + version + "/config/crd/" + channel + "/gateway.networking.k8s.io_"
	for _, f := range archive.File {
		if strings.HasPrefix(f.Name, prefix) && !strings.Contains(f.Name, "_vap_") {
			files[strings.TrimSuffix(strings.TrimPrefix(path.Base(f.Name), "gateway.networking.k8s.io_"), ".yaml")] = content(t, f)
		}
	}
	if len(files) < 10 {
		t.Fatalf("Gateway API %s has %d CRDs in its channel %s", version, len(files), channel)
	}
	return files
}

func content(t *testing.T, f *zip.File) string {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// apply applies one object as a person does. A kind that was made a moment ago may
// not be served yet.
func apply(t *testing.T, c client.Client, text string) {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatal(err)
	}
	rig.Eventually(t, object.GetKind()+" "+object.GetName()+" to be applied", func(ctx context.Context) error {
		return c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.FieldOwner("e2e"), client.ForceOwnership)
	})
}

const class = `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: late}
spec: {controllerName: sluice.dev/go}
`

const gateway = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: late, namespace: default}
spec:
  gatewayClassName: late
  listeners: [{name: http, port: 80, protocol: HTTP}]
`

const route = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: %s, namespace: default}
spec:
  parentRefs: [{name: late}]
  rules: [{matches: [{path: {type: PathPrefix, value: /%[1]s}}]}]
`

// An operator that starts in a cluster without any kind of Gateway API is ready,
// and looks after each kind from when it appears.
func TestKindsComeLater(t *testing.T) {
	c := cluster(t)
	start(t)
	crds := definitions(t, known, "standard")
	apply(t, c, crds["gatewayclasses"])
	apply(t, c, class)
	claims(t, c, nil, []string{"Gateway", "HTTPRoute", "GRPCRoute", "TCPRoute"})
	apply(t, c, crds["gateways"])
	apply(t, c, gateway)
	acceptedGateway(t, c)
	for _, kind := range []string{"httproutes", "referencegrants", "grpcroutes"} {
		apply(t, c, crds[kind])
	}
	apply(t, c, fmt.Sprintf(route, "first"))
	acceptedRoute(t, c, "first")
	claims(t, c, []string{"Gateway", "HTTPRoute", "GRPCRoute"}, []string{"TCPRoute", "HTTPRouteRetry"})
	for _, kind := range []string{"tlsroutes", "tcproutes", "udproutes", "backendtlspolicies", "listenersets"} {
		apply(t, c, crds[kind])
	}
	claims(t, c, []string{"TLSRoute", "TCPRoute", "UDPRoute", "BackendTLSPolicy", "ListenerSet"}, []string{"HTTPRouteRetry"})
	apply(t, c, definitions(t, known, "experimental")["httproutes"])
	claims(t, c, []string{"HTTPRoute", "HTTPRouteRetry"}, nil)
}

// CRDs of a version that Sluice does not know are told of in the GatewayClass, and
// do no harm.
func TestNewerKindsDoNoHarm(t *testing.T) {
	crds := definitions(t, newer, "experimental")
	c := cluster(t)
	for _, text := range crds {
		apply(t, c, text)
	}
	start(t)
	apply(t, c, class)
	apply(t, c, gateway)
	apply(t, c, fmt.Sprintf(route, "newer"))
	acceptedGateway(t, c)
	acceptedRoute(t, c, "newer")
	rig.Eventually(t, "the class to tell of the version", func(ctx context.Context) error {
		return condition(ctx, c, metav1.Condition{Type: "SupportedVersion", Status: metav1.ConditionFalse, Reason: "UnsupportedVersion"})
	})
	var after gatewayv1.Gateway
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "late"}, &after); err != nil || after.DeletionTimestamp != nil {
		t.Errorf("the Gateway afterwards: %v, %v", after.DeletionTimestamp, err)
	}
}

func condition(ctx context.Context, c client.Client, want metav1.Condition) error {
	var class gatewayv1.GatewayClass
	if err := c.Get(ctx, client.ObjectKey{Name: "late"}, &class); err != nil {
		return err
	}
	got := meta.FindStatusCondition(class.Status.Conditions, want.Type)
	if got == nil || got.Status != want.Status || got.Reason != want.Reason {
		return fmt.Errorf("%s is %+v", want.Type, got)
	}
	return nil
}

// claims waits until the class claims some features, and none of others.
func claims(t *testing.T, c client.Client, some, none []string) {
	t.Helper()
	rig.Eventually(t, fmt.Sprintf("the class to claim %v and none of %v", some, none), func(ctx context.Context) error {
		if err := condition(ctx, c, metav1.Condition{Type: "Accepted", Status: metav1.ConditionTrue, Reason: "Accepted"}); err != nil {
			return err
		}
		var class gatewayv1.GatewayClass
		if err := c.Get(ctx, client.ObjectKey{Name: "late"}, &class); err != nil {
			return err
		}
		var names []string
		for _, f := range class.Status.SupportedFeatures {
			names = append(names, string(f.Name))
		}
		for _, f := range some {
			if !slices.Contains(names, f) {
				return fmt.Errorf("it lacks %s: %v", f, names)
			}
		}
		for _, f := range none {
			if slices.Contains(names, f) {
				return fmt.Errorf("it claims %s, and there are no CRDs for that", f)
			}
		}
		return nil
	})
}

func acceptedGateway(t *testing.T, c client.Client) {
	t.Helper()
	rig.Eventually(t, "the Gateway to be accepted", func(ctx context.Context) error {
		var gateway gatewayv1.Gateway
		if err := c.Get(ctx, client.ObjectKey{Namespace: "default", Name: "late"}, &gateway); err != nil {
			return err
		}
		return isTrue(gateway.Status.Conditions, gateway.Generation)
	})
}

func acceptedRoute(t *testing.T, c client.Client, name string) {
	t.Helper()
	rig.Eventually(t, "the route to be accepted", func(ctx context.Context) error {
		var route gatewayv1.HTTPRoute
		if err := c.Get(ctx, client.ObjectKey{Namespace: "default", Name: name}, &route); err != nil {
			return err
		}
		if len(route.Status.Parents) != 1 {
			return errors.New("it has no status of a parent")
		}
		return isTrue(route.Status.Parents[0].Conditions, route.Generation)
	})
}

func isTrue(conditions []metav1.Condition, generation int64) error {
	c := meta.FindStatusCondition(conditions, "Accepted")
	if c == nil || c.Status != metav1.ConditionTrue || c.ObservedGeneration != generation {
		return fmt.Errorf("Accepted is %+v", c)
	}
	return nil
}
