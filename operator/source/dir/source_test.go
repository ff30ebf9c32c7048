package dir

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
)

const goodRoute = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: shop
spec:
  parentRefs:
  - name: public
  rules:
  - backendRefs:
    - name: shop
      port: 80
`

// readOnce reads a directory with the given files and returns what came out.
func readOnce(t *testing.T, files map[string]string) ([]resources.Event, []string) {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var events []resources.Event
	var problems []string
	s := New(Options{Root: root, Once: true, Report: func(ps []Problem) {
		for _, p := range ps {
			problems = append(problems, strings.ReplaceAll(p.String(), root+"/", ""))
		}
	}})
	if err := s.Run(context.Background(), func(b source.Batch) { events = append(events, b.Events...) }); err != nil {
		t.Fatal(err)
	}
	return events, problems
}

func names(events []resources.Event) string {
	var out []string
	for _, e := range events {
		out = append(out, e.Key.String())
	}
	return strings.Join(out, "; ")
}

func TestBadInput(t *testing.T) {
	meta := "metadata: {name: x}\n"
	gw := "apiVersion: gateway.networking.k8s.io/v1\n"
	for _, c := range []struct{ name, text, want string }{
		{"not yaml", "a: b\n c: d\n", `a.yaml:14:1: is no YAML: mapping values are not allowed in this context`},
		{"tabs", "a:\n\t- b\n", `a.yaml:14:1: is no YAML: found character that cannot start any token (YAML indents with spaces, never with tabs)`},
		{"unclosed", "a: [1\n", `a.yaml:13:1: is no YAML: did not find expected ',' or ']'`},
		{"a list", "- a\n", `a.yaml:13:1: is no object: a document begins with apiVersion, kind and metadata`},
		{"no kind", gw + meta, `a.yaml:13:1: kind: is missing: write for example kind: HTTPRoute`},
		{"no apiVersion", "kind: Gateway\n" + meta, `a.yaml:13:1: apiVersion: is missing: write for example apiVersion: gateway.networking.k8s.io/v1`},
		{"unknown kind", gw + "kind: HTTPRout\n" + meta, `a.yaml:14:1: HTTPRout default/x: kind: gateway.networking.k8s.io/v1 has no kind "HTTPRout", it has GatewayClass, Gateway, ListenerSet, HTTPRoute, GRPCRoute, TLSRoute, TCPRoute, UDPRoute, ReferenceGrant, BackendTLSPolicy; did you mean "HTTPRoute"?`},
		{"unknown version", "apiVersion: gateway.networking.k8s.io/v2\nkind: HTTPRoute\n" + meta, `a.yaml:13:1: HTTPRoute default/x: apiVersion: HTTPRoute has no version "gateway.networking.k8s.io/v2" that Sluice reads: write apiVersion: gateway.networking.k8s.io/v1 or gateway.networking.k8s.io/v1beta1`},
		{"wrong group", "apiVersion: v1\nkind: HTTPRoute\n" + meta, `a.yaml:13:1: HTTPRoute default/x: apiVersion: HTTPRoute is not of "v1": write apiVersion: gateway.networking.k8s.io/v1 or gateway.networking.k8s.io/v1beta1`},
		{"no name", gw + "kind: Gateway\nspec: {}\n", `a.yaml:13:1: metadata: is missing: every object needs a metadata.name`},
		{"empty name", gw + "kind: Gateway\nmetadata:\n  generateName: a-\n", `a.yaml:15:1: metadata.name: is missing: every object needs a name, and generateName has no meaning in a file`},
		{"bad name", gw + "kind: GatewayClass\nmetadata: {name: A_b}\nspec: {controllerName: a.b/c}\n", `a.yaml:15:12: GatewayClass A_b: metadata.name: invalid value: "A_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`},
		{"namespaced class", gw + "kind: GatewayClass\nmetadata: {name: a, namespace: b}\nspec: {controllerName: a.b/c}\n", `a.yaml:15:21: GatewayClass a: metadata.namespace: GatewayClass belongs to no namespace: remove it`},
		{"unknown field", strings.Replace(goodRoute, "backendRefs", "backendRef", 1), `a.yaml:21:5: HTTPRoute default/shop: spec.rules[0].backendRef: unknown field "backendRef": remove it or correct its spelling; did you mean "backendRefs"?`},
		{"unknown metadata field", strings.Replace(goodRoute, "metadata:", "metadata:\n  lables: {}", 1), `a.yaml:16:3: HTTPRoute default/shop: metadata.lables: unknown field "lables": remove it or correct its spelling`},
		{"duplicate key", strings.Replace(goodRoute, "      port: 80", "      port: 80\n      port: 81", 1), `a.yaml:24:7: HTTPRoute default/shop: spec.rules[0].backendRefs[0].port: is written twice, here and 1 lines above: keep one`},
		{"wrong type", strings.Replace(goodRoute, "port: 80", "port: http", 1), `a.yaml:23:7: HTTPRoute default/shop: spec.rules[0].backendRefs[0].port: must be of type integer, and is of type string`},
		{"absurd number", strings.Replace(goodRoute, "port: 80", "port: 99999999999999999999", 1), `a.yaml:23:7: HTTPRoute default/shop: spec.rules[0].backendRefs[0].port: must be of type integer, and is of type number`},
		{"port out of range", strings.Replace(goodRoute, "port: 80", "port: 70000", 1), `a.yaml:23:7: HTTPRoute default/shop: spec.rules[0].backendRefs[0].port: invalid value: 70000: should be less than or equal to 65535`},
		{"cel rule", strings.Replace(goodRoute, "  - backendRefs:", "  - matches:\n    - path: {type: Exact, value: shop}\n    backendRefs:", 1), `a.yaml:22:7: HTTPRoute default/shop: spec.rules[0].matches[0].path: invalid value: value must be an absolute path and start with '/' when type one of ['Exact', 'PathPrefix']`},
		{"service without ports", "apiVersion: v1\nkind: Service\n" + meta + "spec: {}\n", `a.yaml:16:1: Service default/x: spec.ports: required value: a Service needs at least one port`},
		{"service port", "apiVersion: v1\nkind: Service\n" + meta + "spec:\n  ports:\n  - port: 0\n", `a.yaml:18:5: Service default/x: spec.ports[0].port: invalid value: 0: must be between 1 and 65535, inclusive
a.yaml:18:5: Service default/x: spec.ports[0].targetPort: invalid value: 0: must be between 1 and 65535, inclusive`},
		{"service unknown field", "apiVersion: v1\nkind: Service\n" + meta + "spec:\n  ports:\n  - port: 80\n    prot: TCP\n", `a.yaml:19:5: Service default/x: spec.ports[0].prot: unknown field "prot": remove it or correct its spelling`},
		{"slice address", "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n" + meta + "addressType: IPv4\nendpoints:\n- addresses: [nowhere]\n", `a.yaml:18:15: EndpointSlice default/x: endpoints[0].addresses[0]: invalid value: "nowhere": must be an IPv4 address, as addressType says`},
		{"tls secret without key", "apiVersion: v1\nkind: Secret\n" + meta + "type: kubernetes.io/tls\ndata:\n  tls.crt: YQ==\n", `a.yaml:17:1: Secret default/x: data[tls.key]: required value: a Secret of type kubernetes.io/tls holds tls.crt and tls.key, or the annotation sluice.dev/self-signed`},
		{"alias bomb", "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", `a.yaml:13:8: d[1][3][4][0]: is too large: it stands for many times more than its text, aliases included`},
	} {
		t.Run(c.name, func(t *testing.T) {
			// A good document on either side proves that nothing else is hurt.
			text := strings.Replace(goodRoute, "name: shop", "name: before", 1) + "---\n" + c.text + "---\n" + strings.Replace(goodRoute, "name: shop", "name: after", 1)
			events, problems := readOnce(t, map[string]string{"a.yaml": text})
			if got := strings.Join(problems, "\n"); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if got, want := names(events), "HTTPRoute default/after; HTTPRoute default/before; Namespace default"; got != want {
				t.Errorf("objects: got %s, want %s", got, want)
			}
		})
	}
}
