package dir

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
)

// patience is how long a condition may take to come true before a test fails.
const patience = 20 * time.Second

// watched is a directory that a running source watches.
type watched struct {
	t        *testing.T
	root     string
	source   *Source
	events   chan source.Batch
	reports  chan []Problem
	objects  map[resources.Key]resources.Object
	problems []Problem
}

func watchDir(t *testing.T, files map[string]string) *watched {
	t.Helper()
	w := &watched{
		t: t, root: t.TempDir(), events: make(chan source.Batch, 1000), reports: make(chan []Problem, 1000),
		objects: map[resources.Key]resources.Object{},
	}
	for name, text := range files {
		w.write(name, text)
	}
	w.source = New(Options{Root: w.root, Rescan: 50 * time.Millisecond, Settle: 10 * time.Millisecond, Report: func(p []Problem) { w.reports <- p }})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.source.Run(ctx, func(b source.Batch) { w.events <- b }); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	w.until("the first batch", func() bool { return len(w.objects) > 0 })
	return w
}

func (w *watched) write(name, text string) {
	w.t.Helper()
	// A file that is moved into place is never seen half written.
	draft := filepath.Join(w.root, ".draft")
	if err := os.WriteFile(draft, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(draft, filepath.Join(w.root, name)); err != nil {
		w.t.Fatal(err)
	}
}

// until takes in what the source says until a condition holds.
func (w *watched) until(what string, holds func() bool) {
	w.t.Helper()
	timeout := time.After(patience)
	for !holds() {
		select {
		case b := <-w.events:
			for _, e := range b.Events {
				if e.Object == nil {
					delete(w.objects, e.Key)
				} else {
					w.objects[e.Key] = e.Object
				}
			}
		case w.problems = <-w.reports:
		case <-timeout:
			w.t.Fatalf("%s: still not so; objects %v, problems %v", what, w.objects, w.problems)
		}
	}
}

func (w *watched) text() string {
	var lines []string
	for _, p := range w.problems {
		lines = append(lines, strings.ReplaceAll(p.String(), w.root+"/", ""))
	}
	return strings.Join(lines, "\n")
}

func routeKey(name string) resources.Key {
	return resources.Key{Kind: resources.HTTPRoute, Namespace: "default", Name: name}
}

func route(name string) string { return strings.Replace(goodRoute, "name: shop", "name: "+name, 1) }

func TestBrokenEditKeepsLastGoodState(t *testing.T) {
	w := watchDir(t, map[string]string{"a.yaml": route("shop") + "---\n" + route("other")})
	before := w.objects[routeKey("shop")]

	w.write("a.yaml", strings.Replace(route("shop"), "port: 80", "port: 70000", 1)+"---\n"+strings.Replace(route("other"), "port: 80", "port: 81", 1))
	w.until("the good document of the file is applied", func() bool { return w.port("other") == 81 })
	w.until("the bad one is blamed", func() bool { return len(w.problems) == 1 })
	want := `a.yaml:11:7: HTTPRoute default/shop: spec.rules[0].backendRefs[0].port: invalid value: 70000: should be less than or equal to 65535 (its last good state stays in force)`
	if got := w.text(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if w.objects[routeKey("shop")] != before {
		t.Error("the broken object changed")
	}

	w.write("a.yaml", "{ not yaml\n---\n"+route("other"))
	w.until("the syntax error is blamed", func() bool { return strings.Contains(w.text(), "is no YAML") })
	if w.objects[routeKey("shop")] != before {
		t.Error("an object was lost to a syntax error")
	}
	if !strings.Contains(w.text(), "(its last good state stays in force)") {
		t.Errorf("what stays in force is not said: %s", w.text())
	}

	w.write("a.yaml", route("other"))
	w.until("the object goes with its document", func() bool { return w.objects[routeKey("shop")] == nil })
	w.until("nothing is wrong any more", func() bool { return len(w.problems) == 0 })
}

func (w *watched) port(name string) int {
	r, ok := w.objects[routeKey(name)].(*gatewayv1.HTTPRoute)
	if !ok {
		return 0
	}
	return int(*r.Spec.Rules[0].BackendRefs[0].Port)
}

func TestGenerationGrowsWithTheSpec(t *testing.T) {
	w := watchDir(t, map[string]string{"a.yaml": route("shop")})
	generation := func() int64 { return w.objects[routeKey("shop")].GetGeneration() }
	if generation() != 1 {
		t.Errorf("starts at %d", generation())
	}
	w.write("a.yaml", strings.Replace(route("shop"), "name: shop", "name: shop\n  labels: {a: b}", 1))
	w.until("the label is there", func() bool { return w.objects[routeKey("shop")].GetLabels()["a"] == "b" })
	if generation() != 1 {
		t.Errorf("a label made it %d", generation())
	}
	w.write("a.yaml", strings.Replace(route("shop"), "port: 80", "port: 81", 1))
	w.until("the port is there", func() bool { return w.port("shop") == 81 })
	if generation() != 2 {
		t.Errorf("a port made it %d", generation())
	}
}

func TestDuplicateNamesBothPlaces(t *testing.T) {
	w := watchDir(t, map[string]string{"b.yaml": route("shop")})
	w.write("a.yaml", strings.Replace(route("shop"), "port: 80", "port: 81", 1))
	w.until("the second one is blamed", func() bool { return len(w.problems) == 1 })
	want := "a.yaml:1:1: HTTPRoute default/shop: is already defined at " + w.root + "/b.yaml:1:1, which stays in force: remove or rename one of the two"
	if got := w.text(); got != strings.ReplaceAll(want, w.root+"/", "") || w.port("shop") != 80 {
		t.Errorf("got %s, and port %d is in force", got, w.port("shop"))
	}
	if err := os.Remove(filepath.Join(w.root, "b.yaml")); err != nil {
		t.Fatal(err)
	}
	w.until("the other one takes over", func() bool { return w.port("shop") == 81 && len(w.problems) == 0 })
}

func TestConfigMapMountIsFollowed(t *testing.T) {
	root := t.TempDir()
	version := func(name, text string) {
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name, "a.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", route("shop"))
	link("..1", "..data")
	link("..data/a.yaml", "a.yaml")
	w := &watched{t: t, root: root, events: make(chan source.Batch, 1000), reports: make(chan []Problem, 1000), objects: map[resources.Key]resources.Object{}}
	// The rescan is off: the watch alone must see the swap.
	w.source = New(Options{Root: root, Rescan: time.Hour, Report: func(p []Problem) { w.reports <- p }})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.source.Run(ctx, func(b source.Batch) { w.events <- b }) }()
	t.Cleanup(func() { cancel(); <-done })
	w.until("the first version", func() bool { return w.port("shop") == 80 })
	version("..2", strings.Replace(route("shop"), "port: 80", "port: 81", 1))
	link("..2", "..tmp")
	if err := os.Rename(filepath.Join(root, "..tmp"), filepath.Join(root, "..data")); err != nil {
		t.Fatal(err)
	}
	w.until("the second version", func() bool { return w.port("shop") == 81 })
}

func TestEditorsFilesAreIgnored(t *testing.T) {
	events, problems := readOnce(t, map[string]string{
		"a.yaml": route("shop"), ".a.yaml.swp": "x", ".#a.yaml": "{", "#a.yaml#": "{", "a.yaml~": "{", "notes.txt": "{", ".git/x.yaml": "{",
		"sub/b.yml": route("b"), "c.json": `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n"}}`,
		"other.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n",
	})
	if got, want := names(events), "HTTPRoute default/b; HTTPRoute default/shop; Namespace default; Namespace n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if want := "other.yaml:1:1: Deployment default/d: is skipped: Sluice does not read objects of this kind"; strings.Join(problems, "\n") != want {
		t.Errorf("got %s", problems)
	}
}

func TestDefaultsAndImplicitNamespaces(t *testing.T) {
	events, problems := readOnce(t, map[string]string{"a.yaml": strings.Replace(goodRoute, "  name: shop", "  name: shop\n  namespace: team", 1)})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, e := range events {
		switch o := e.Object.(type) {
		case *gatewayv1.HTTPRoute:
			if m := o.Spec.Rules[0].Matches; len(m) != 1 || *m[0].Path.Value != "/" {
				t.Errorf("the default match is %+v", m)
			}
			if ref := o.Spec.Rules[0].BackendRefs[0]; *ref.Weight != 1 || *ref.Kind != "Service" {
				t.Errorf("the defaults of a backendRef are %+v", ref)
			}
		case *corev1.Namespace:
			if o.Labels[corev1.LabelMetadataName] != o.Name {
				t.Errorf("labels of Namespace %s: %v", o.Name, o.Labels)
			}
		}
	}
	if got, want := names(events), "HTTPRoute team/shop; Namespace default; Namespace team"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSelfSignedCertificateSurvivesEdits(t *testing.T) {
	secret := "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  annotations:\n    sluice.dev/self-signed: \"a.localhost, *.a.localhost\"\ntype: kubernetes.io/tls\n"
	w := watchDir(t, map[string]string{"a.yaml": secret})
	key := resources.Key{Kind: resources.Secret, Namespace: "default", Name: "s"}
	data := func() map[string][]byte { return w.objects[key].(*corev1.Secret).Data }
	first := data()
	if _, err := tls.X509KeyPair(first[corev1.TLSCertKey], first[corev1.TLSPrivateKeyKey]); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(first[corev1.TLSCertKey])
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil || cert.VerifyHostname("x.a.localhost") != nil || cert.VerifyHostname("a.localhost") != nil {
		t.Errorf("%v, %v", err, cert.DNSNames)
	}
	w.write("b.yaml", route("shop"))
	w.write("a.yaml", strings.Replace(secret, "  name: s", "  name: s\n  labels: {a: b}", 1))
	w.until("the label is there", func() bool { return w.objects[key].GetLabels()["a"] == "b" })
	if string(data()[corev1.TLSCertKey]) != string(first[corev1.TLSCertKey]) {
		t.Error("an edit made a new certificate")
	}
}

func TestListAndOlderVersions(t *testing.T) {
	item := "- " + strings.ReplaceAll(strings.TrimSpace(strings.Replace(goodRoute, "/v1\n", "/v1beta1\n", 1)), "\n", "\n  ") + "\n"
	events, problems := readOnce(t, map[string]string{
		"a.yaml": "apiVersion: v1\nkind: List\nitems:\n" + item + "- apiVersion: v1\n  kind: Service\n  metadata: {name: s}\n  spec: {ports: [{port: 0}]}\n",
	})
	if got, want := names(events), "HTTPRoute default/shop; Namespace default"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if len(problems) != 2 || !strings.HasPrefix(problems[0], "a.yaml:18:") {
		t.Errorf("%q", problems)
	}
}

func TestLocate(t *testing.T) {
	w := watchDir(t, map[string]string{"a.yaml": "# a comment\n---\n" + route("shop")})
	for field, want := range map[string]string{
		"spec.rules[0].backendRefs[0].port": "a.yaml:13:7", "spec.rules[0].filters[3].type": "a.yaml:11:5", "": "a.yaml:3:1", "status": "a.yaml:3:1",
	} {
		if got := strings.TrimPrefix(w.source.Locate(routeKey("shop"), field).String(), w.root+"/"); got != want {
			t.Errorf("%s is at %s, want %s", field, got, want)
		}
	}
}

// TestTruncationTakesNothingAway: an editor that empties a file before it writes
// it must not cut traffic, so a removal waits for a second look.
func TestTruncationTakesNothingAway(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "a.yaml")
	put := func(text string) *listing {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := list(root)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	s := New(Options{Root: root})
	s.take(put(route("shop")), true)
	if events := s.take(put(""), false); len(events) != 0 || s.unsaid && len(s.told) > 0 {
		t.Errorf("one look at an empty file gave %v", events)
	}
	if events := s.take(put(strings.Replace(route("shop"), "port: 80", "port: 81", 1)), false); names(events) != "HTTPRoute default/shop" || events[0].Object == nil {
		t.Errorf("the new text gave %v", events)
	}
	empty := put("")
	s.take(empty, false)
	if events := s.take(empty, true); names(events) != "HTTPRoute default/shop" || events[0].Object != nil {
		t.Errorf("two looks at an empty file gave %v", events)
	}
}
