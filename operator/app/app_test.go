package app

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func command(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Main(context.Background(), args, Streams{Out: &o, Err: &e})
	return code, o.String(), e.String()
}

func example(name string) string { return filepath.Join("..", "..", "examples", name) }

func TestExamplesAreAccepted(t *testing.T) {
	entries, err := os.ReadDir(example(""))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if code, out, errs := command(t, "run", "--once", example(e.Name())); code != 0 {
			t.Errorf("%s: exit code %d\n%s%s", e.Name(), code, out, errs)
		}
	}
}

const broken = `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: sluice}
spec: {controllerName: sluice.dev/go}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: demo}
spec:
  gatewayClassName: sluice
  listeners:
  - {name: http, protocol: HTTP, port: 8080}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: demo}]
  rules:
  - backendRefs: [{name: nobody, port: 80}]
`

func TestExitCodes(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(root, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	dangling := write("dangling.yaml", broken)
	unknown := write("unknown.yaml", strings.Replace(broken, "backendRefs: [", "backendRef: [", 1))
	lots := write("lots.yaml", "apiVersion: v1\nkind: Service\nmetadata:\n  name: shop\n  annotations: {sluice.dev/echo: lots}\nspec: {ports: [{port: 80}]}\n")
	ingress := write("ingress.yaml", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\n")
	teapot := write("teapot.yaml", strings.NewReplacer("sluice.dev/go", "sluice.dev/haproxy", "nobody, port: 80}]",
		"shop, port: 80}]\n    retry: {codes: [418]}").Replace(broken)+"---\napiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {ports: [{port: 80}]}\n")
	const notLots = `metadata.annotations[sluice.dev/echo]: "lots" is no number of echo servers: want 0 to 64`
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"run", "--once", dangling}, 1, "dangling.yaml:20"},
		{[]string{"run", "--once", unknown}, 1, `unknown field "backendRef": remove it or correct its spelling; did you mean "backendRefs"?`},
		{[]string{"run", "--once", "-o", "json", dangling}, 1, `"reason": "BackendNotFound"`},
		{[]string{"run", "--once", ingress}, 2, "is not read yet, so nothing serves it: write a Gateway and an HTTPRoute"},
		{[]string{"run", "--once", ingress}, 2, "holds no Gateway and no route: name the folder that does"},
		{[]string{"explain", example("quickstart"), "GET", "http://demo.localhost:8080/", "-H", "Host: a"}, 2, "put the host into the URL instead"},
		{[]string{"run", "--once", lots}, 1, "lots.yaml:5:17\n      Service default/shop\n      " + notLots},
		{[]string{"explain", lots, "GET", "http://shop.localhost/"}, 0, notLots},
		{[]string{"run", "--once", teapot}, 1, "HAProxy cannot retry status 418"},
		{[]string{"run", "--once", "--engine", "go", teapot}, 0, "to demo"},
		{[]string{"run", "--once", filepath.Join(root, "nowhere")}, 2, "name a directory of YAML files"},
		{[]string{"run"}, 2, "sluice run wants DIR, and got 0 arguments; for example: sluice run examples/quickstart"},
		{[]string{"echo", "3000"}, 2, `sluice echo takes no arguments, and got "3000"; sluice echo --help lists the flags`},
		{[]string{"run", "--bind", "here", root}, 2, "want an IP address"},
		{[]string{"run", "--engine", "apache", root}, 2, "want one of envoy, go"},
		{[]string{"run", "--nonsense"}, 2, "--help lists the flags"},
		{[]string{"translate", "--to", "nginx", example("quickstart")}, 2, "want ir or goproxy or envoy"},
		{[]string{"translate", "--gateway", "default/x", example("quickstart")}, 2, "there is default/demo"},
		{[]string{"explain", example("quickstart"), "GET", "demo.localhost"}, 2, "want http://host/path"},
		{[]string{"explain", example("quickstart"), "GET", "http://demo.localhost:8080/", "-H", "x"}, 2, "want 'name: value'"},
		{[]string{"explain", example("quickstart"), "GET", "http://demo.localhost:8080/"}, 0, "HTTPRoute default/shop rule 1 serves it"},
		{[]string{"explain", "-o", "json", example("quickstart"), "GET", "http://demo.localhost:8080/"}, 0, `"served": true`},
		{[]string{"operator", "--log-level", "loud"}, 2, "want debug or info or warn or error"},
		{[]string{"operator", "--delivery-host", "here"}, 2, "want host:port, such as sluice-operator.sluice-system.svc:9443"},
		{[]string{"operator", "--watch-namespaces", "a,,b"}, 2, "want names, with commas between them"},
		{[]string{"operator", "--identity", ""}, 2, "replicas are elected by name"},
		{[]string{"operator", "--kubeconfig", filepath.Join(root, "nowhere")}, 2, "run this in one, or name a file by --kubeconfig"},
		{[]string{"--version"}, 0, "sluice version "},
		{[]string{"version"}, 0, "gateway-api v1.6.3"},
		{[]string{"completion", "bash"}, 0, "__start_sluice"},
		{[]string{"__complete", "translate", "--to", ""}, 0, "goproxy"},
		{[]string{"__complete", "run", ""}, 0, ":16"},
	} {
		code, out, errs := command(t, c.args...)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("sluice %s: exit code %d, want %d and %q\n%s%s", strings.Join(c.args, " "), code, c.code, c.want, out, errs)
		}
	}
}

// TestAdminPortIsReserved: in the numbers that Gateways have.
func TestAdminPortIsReserved(t *testing.T) {
	for _, c := range []struct {
		bind, admin string
		offset      int
		want        uint16
	}{
		{"127.0.0.1", "127.0.0.1:9901", 0, 9901},
		{"127.0.0.1", "127.0.0.1:9901", 1000, 8901},
		{"0.0.0.0", "127.0.0.1:9901", 0, 9901},
		{"127.0.0.1", "[::]:9901", 0, 9901},
		{"127.0.0.1", "127.0.0.9:9901", 0, 0},
		{"127.0.0.1", "127.0.0.1:0", 0, 0},
		{"127.0.0.1", "127.0.0.1:800", 1000, 0},
	} {
		f := &runFlags{portOffset: c.offset}
		got := f.reserved(netip.MustParseAddr(c.bind), netip.MustParseAddrPort(c.admin))
		if c.want == 0 && len(got) > 0 || c.want != 0 && !strings.Contains(got[c.want], "--admin "+c.admin) {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

func TestTheProxyIsToldWhereItIs(t *testing.T) {
	f := &runFlags{bind: "127.0.0.1", admin: "127.0.0.1:0", zone: "a", node: "a-1"}
	opts, err := f.engineOptions(Streams{})
	if err != nil {
		t.Fatal(err)
	}
	if got := opts.Local; got.Zone != "a" || got.Node != "a-1" {
		t.Errorf("the proxy is told that it is in zone %q on node %q, want a and a-1", got.Zone, got.Node)
	}
}

func TestTranslatePrintsNoSecrets(t *testing.T) {
	for _, to := range languages {
		code, out, errs := command(t, "translate", "--to", to, example("quickstart"))
		if code != 0 || strings.Contains(out, "PRIVATE KEY") || !strings.Contains(out, "demo.localhost") {
			t.Errorf("--to %s: exit code %d\n%s%s", to, code, out, errs)
		}
	}
}

// TestTermsGrow: with each transition of the lease, and with a lease that was
// deleted and made anew.
func TestTermsGrow(t *testing.T) {
	lease := func(made int64, transitions int32) *coordinationv1.Lease {
		l := &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{LeaseTransitions: &transitions}}
		l.CreationTimestamp = metav1.Unix(made, 0)
		return l
	}
	first := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.Unix(1000, 0)}}
	for i, l := range []*coordinationv1.Lease{lease(1000, 1), lease(1000, 2), lease(1001, 0)} {
		if termOf(l) <= termOf(first) {
			t.Errorf("the term of leader %d is no higher than that before", i+1)
		}
		first = l
	}
}
