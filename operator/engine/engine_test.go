package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/echo"
	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
	"github.com/sluice-gateway/sluice/operator/source/dir"
)

// patience is how long a condition may take to come true before a test fails.
const patience = 20 * time.Second

const controller gatewayv1.GatewayController = "sluice.dev/go"

// rig is a running engine over a directory, with the real front end and the real
// Go proxy.
type rig struct {
	t         *testing.T
	root      string
	engine    *engine.Engine
	snapshots chan engine.Snapshot
	last      engine.Snapshot
}

var _ engine.Sink = (*rig)(nil)

// Publish keeps the latest snapshot alone, so that the engine never waits.
func (r *rig) Publish(s engine.Snapshot) {
	for {
		select {
		case r.snapshots <- s:
			return
		default:
		}
		select {
		case <-r.snapshots:
		default:
		}
	}
}

func options(sink engine.Sink) engine.Options {
	plane := goproxy.Dataplane{}
	return engine.Options{
		FrontEnds: func(set *resources.Set) []engine.FrontEnd {
			return []engine.FrontEnd{gatewayapi.New(set, gatewayapi.Options{Controllers: map[gatewayv1.GatewayController]feature.Set{controller: plane.Features()}})}
		},
		Indexes:    gatewayapi.Indexes(),
		Dataplanes: map[gatewayv1.GatewayController]dataplanes.Dataplane{controller: plane},
		Sink:       sink,
		Unclaimed:  []gatewayv1.GatewayController{"sluice.dev/envoy", "sluice.dev/go"},
	}
}

func start(t *testing.T, files map[string]string, change func(*engine.Options)) *rig {
	t.Helper()
	r := &rig{t: t, root: t.TempDir(), snapshots: make(chan engine.Snapshot, 1)}
	for name, text := range files {
		r.write(name, text)
	}
	opts := options(r)
	pool := echo.NewPool(dir.New(dir.Options{Root: r.root, Rescan: 50 * time.Millisecond, Settle: 10 * time.Millisecond}), false)
	opts.Source = pool
	if change != nil {
		change(&opts)
	}
	r.engine = engine.New(opts)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.engine.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		pool.Close()
	})
	return r
}

func (r *rig) write(name, text string) {
	r.t.Helper()
	// A file that is moved into place is never seen half written.
	draft := filepath.Join(r.root, ".draft")
	if err := os.WriteFile(draft, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(draft, filepath.Join(r.root, name)); err != nil {
		r.t.Fatal(err)
	}
}

// until waits for a snapshot of which a condition holds.
func (r *rig) until(what string, holds func(engine.Snapshot) bool) {
	r.t.Helper()
	timeout := time.After(patience)
	for !holds(r.last) {
		select {
		case r.last = <-r.snapshots:
		case <-timeout:
			r.t.Fatalf("%s: still not so: %s%s", what, r.conditions(), r.endpoints())
		}
	}
}

// untilSilently waits for what the engine does without telling.
func (r *rig) untilSilently(what string, holds func() bool) {
	r.t.Helper()
	timeout := time.After(patience)
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case r.last = <-r.snapshots:
		case <-again.C:
		case <-timeout:
			r.t.Fatalf("%s: still not so", what)
		}
	}
}

// conditions are those of every report, one a line.
func (r *rig) conditions() string {
	var b strings.Builder
	for _, u := range r.last.Units {
		for _, report := range u.Reports() {
			for _, s := range report.Subjects {
				for _, c := range findings.Derive(&s, report.Generation) {
					fmt.Fprintf(&b, "%s %s %s=%s %s: %s\n", report.Object, s.Section, c.Type, c.Status, c.Reason, c.Message)
				}
			}
		}
	}
	return b.String()
}

// endpoints are those that were sent, one a line.
func (r *rig) endpoints() string {
	var b strings.Builder
	for _, u := range r.last.Units {
		for _, e := range u.Endpoints {
			fmt.Fprintf(&b, "endpoints of %v: %v\n", e.Key, e.Endpoints)
		}
	}
	return b.String()
}

func (r *rig) untilCondition(line string) {
	r.t.Helper()
	r.until(line, func(engine.Snapshot) bool { return strings.Contains(r.conditions(), line) })
}

// answer asks a URL and returns the status and the name of who answered.
func answer(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	var a echo.Answer
	_ = json.NewDecoder(res.Body).Decode(&a)
	return res.StatusCode, a.Service
}

func (r *rig) untilAnswer(url string, status int, service string) {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		gotStatus, gotService := answer(r.t, url)
		if gotStatus == status && gotService == service {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: got %d %s, want %d %s\n%s", url, gotStatus, gotService, status, service, r.conditions())
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

const class = "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: sluice}\nspec: {controllerName: sluice.dev/go}\n"

func gateway(name string, port int) string {
	return fmt.Sprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: %s}\n"+
		"spec:\n  gatewayClassName: sluice\n  listeners:\n  - {name: http, protocol: HTTP, port: %d}\n", name, port)
}

func route(name, gateway, service string) string {
	return fmt.Sprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: %s}\n"+
		"spec:\n  parentRefs: [{name: %s}]\n  rules:\n  - backendRefs: [{name: %s, port: 80}]\n", name, gateway, service)
}

func service(name string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata:\n  name: %s\n  annotations: {sluice.dev/echo: \"1\"}\nspec: {ports: [{port: 80}]}\n", name)
}

func TestEditsBecomeTraffic(t *testing.T) {
	port := freePort(t)
	url := fmt.Sprintf("http://127.0.0.1:%d/", port)
	r := start(t, map[string]string{
		"class.yaml": class, "gateway.yaml": gateway("demo", port), "route.yaml": route("shop", "demo", "a"),
		"a.yaml": service("a"), "b.yaml": service("b"),
	}, nil)
	r.untilCondition("Gateway default/demo  Programmed=True")
	r.untilAnswer(url, 200, "a")
	r.write("route.yaml", route("shop", "demo", "b"))
	r.untilAnswer(url, 200, "b")
	r.write("route.yaml", route("shop", "demo", "nobody"))
	r.untilAnswer(url, 500, "")
	r.untilCondition("HTTPRoute default/shop  ResolvedRefs=False BackendNotFound")
	if err := os.Remove(filepath.Join(r.root, "route.yaml")); err != nil {
		t.Fatal(err)
	}
	r.untilAnswer(url, 404, "")
	if err := os.Remove(filepath.Join(r.root, "gateway.yaml")); err != nil {
		t.Fatal(err)
	}
	r.until("the unit is gone", func(s engine.Snapshot) bool { return len(s.Units) == 0 })
}

// TestOnlyWhatChangedIsDone counts translations and what was sent.
func TestOnlyWhatChangedIsDone(t *testing.T) {
	port := freePort(t)
	slice := "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: x, labels: {kubernetes.io/service-name: plain}}\n" +
		"addressType: IPv4\nports: [{port: %d}]\nendpoints: [{addresses: [127.0.0.1]}]\n"
	plain := "apiVersion: v1\nkind: Service\nmetadata: {name: plain}\nspec: {ports: [{port: 80}]}\n"
	r := start(t, map[string]string{
		"class.yaml": class, "gateway.yaml": gateway("demo", port), "route.yaml": route("shop", "demo", "plain"),
		"service.yaml": plain, "slice.yaml": fmt.Sprintf(slice, 1),
	}, nil)
	r.untilCondition("Gateway default/demo  Programmed=True")
	c := &r.engine.Counters
	translated, sent := c.Translations.Load(), c.Assignments.Load()
	if translated != 1 || sent != 1 {
		t.Errorf("the start took %d translations and %d assignments, want 1 and 1", translated, sent)
	}
	r.write("slice.yaml", fmt.Sprintf(slice, 2))
	r.until("the endpoints are sent", func(s engine.Snapshot) bool {
		return len(s.Units) == 1 && len(s.Units[0].Endpoints) == 1 && len(s.Units[0].Endpoints[0].Endpoints) == 1 && s.Units[0].Endpoints[0].Endpoints[0].Port == 2
	})
	if c.Translations.Load() != translated || c.Assignments.Load() != sent || c.EndpointUpdates.Load() != 1 {
		t.Errorf("endpoints cost %d translations and %d assignments", c.Translations.Load()-translated, c.Assignments.Load()-sent)
	}
	rounds := c.Rounds.Load()
	r.write("other.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: unrelated}\n")
	r.untilSilently("the round of the ConfigMap", func() bool { return c.Rounds.Load() > rounds })
	if c.Translations.Load() != translated {
		t.Error("an object that nobody reads was translated for")
	}
	r.write("route.yaml", strings.Replace(route("shop", "demo", "plain"), "{name: shop}", "{name: shop, labels: {a: b}}", 1))
	r.until("the route is translated again", func(engine.Snapshot) bool { return c.Translations.Load() > translated })
	if c.Assignments.Load() != sent {
		t.Error("the same hash was sent again")
	}
}

func TestCollidingGatewaysGetAddresses(t *testing.T) {
	port := freePort(t)
	r := start(t, map[string]string{
		"class.yaml": class, "a.yaml": gateway("a", port), "b.yaml": gateway("b", port),
		"ra.yaml": route("ra", "a", "sa"), "rb.yaml": route("rb", "b", "sb"), "sa.yaml": service("sa"), "sb.yaml": service("sb"),
	}, nil)
	r.untilCondition("Gateway default/a  Programmed=True")
	r.untilCondition("Gateway default/b  Programmed=True")
	r.untilAnswer(fmt.Sprintf("http://127.0.0.1:%d/", port), 200, "sa")
	r.untilAnswer(fmt.Sprintf("http://127.0.0.2:%d/", port), 200, "sb")
	for _, report := range r.last.Units[1].Reports() {
		if report.Object.Kind == resources.Gateway && (len(report.Addresses) != 1 || report.Addresses[0].Value != "127.0.0.2") {
			t.Errorf("addresses of b: %+v", report.Addresses)
		}
	}
}

func TestPortInUseIsSaid(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	r := start(t, map[string]string{"class.yaml": class, "gateway.yaml": gateway("demo", l.Addr().(*net.TCPAddr).Port)}, nil)
	r.untilCondition("Gateway default/demo http Programmed=False Invalid")
}

func TestUnclaimedIsSaid(t *testing.T) {
	port := freePort(t)
	r := start(t, map[string]string{
		"class.yaml": strings.Replace(class, "sluice.dev/go", "example.com/other", 1), "gateway.yaml": gateway("demo", port), "route.yaml": route("shop", "demo", "a"),
	}, nil)
	r.until("both are unclaimed", func(s engine.Snapshot) bool { return len(s.Unclaimed) == 2 })
	if why := r.last.Unclaimed[0].Why; !strings.Contains(why, `"example.com/other"`) || !strings.Contains(why, "want sluice.dev/envoy or sluice.dev/go") {
		t.Error(why)
	}
}

func TestExternalNamesAreResolved(t *testing.T) {
	port := freePort(t)
	external := "apiVersion: v1\nkind: Service\nmetadata: {name: out}\nspec: {type: ExternalName, externalName: api.example.com, ports: [{port: 80}]}\n"
	parameters := "apiVersion: sluice.dev/v1alpha1\nkind: GatewayParameters\nmetadata: {name: p}\nspec: {proxy: {allowExternalName: true}}\n"
	with := strings.Replace(class, "sluice.dev/go}", "sluice.dev/go, parametersRef: {group: sluice.dev, kind: GatewayParameters, name: p, namespace: default}}", 1)
	r := start(t, map[string]string{"class.yaml": with, "p.yaml": parameters, "gateway.yaml": gateway("demo", port), "route.yaml": route("shop", "demo", "out"), "s.yaml": external},
		func(o *engine.Options) {
			o.Resolve = func(_ context.Context, name string) ([]netip.Addr, error) {
				if name != "api.example.com" {
					return nil, fmt.Errorf("no such name %q", name)
				}
				return []netip.Addr{netip.MustParseAddr("192.0.2.7")}, nil
			}
		})
	r.until("the address is an endpoint", func(s engine.Snapshot) bool {
		return len(s.Units) == 1 && len(s.Units[0].Endpoints) == 1 && len(s.Units[0].Endpoints[0].Endpoints) == 1 &&
			s.Units[0].Endpoints[0].Endpoints[0].Address == "192.0.2.7"
	})
}

// script is a source that hands over what a test puts in.
type script struct {
	kinds   []resources.Kind
	batches chan source.Batch
}

func (s *script) Kinds() []resources.Kind { return s.kinds }

func (s *script) Run(ctx context.Context, emit func(source.Batch)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case b := <-s.batches:
			emit(b)
		}
	}
}

// TestNothingIsSentWhilePending: a Gateway whose class may still come is neither
// served nor reported.
func TestNothingIsSentWhilePending(t *testing.T) {
	files := t.TempDir()
	port := freePort(t)
	if err := os.WriteFile(filepath.Join(files, "a.yaml"), []byte(class+"---\n"+gateway("demo", port)), 0o600); err != nil {
		t.Fatal(err)
	}
	var all source.Batch
	once := dir.New(dir.Options{Root: files, Once: true})
	if err := once.Run(context.Background(), func(b source.Batch) { all = b }); err != nil {
		t.Fatal(err)
	}
	s := &script{kinds: once.Kinds(), batches: make(chan source.Batch)}
	r := start(t, nil, func(o *engine.Options) { o.Source = s })
	s.batches <- source.Batch{Events: all.Events}
	r.until("a round", func(engine.Snapshot) bool { return r.engine.Counters.Rounds.Load() > 0 })
	if n := r.engine.Counters.Assignments.Load(); n != 0 || len(r.last.Units) != 0 {
		t.Errorf("%d assignments and %d units while kinds are pending", n, len(r.last.Units))
	}
	s.batches <- source.Batch{Listed: s.kinds}
	r.untilCondition("Gateway default/demo  Programmed=True")
}
