package parity

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy"
	"github.com/sluice-gateway/sluice/operator/source/dir/schema"
)

// Every filter of Gateway API is shown by at least one case, and no tag is one
// that nobody looks for.
func TestTags(t *testing.T) {
	cases, err := Load(".")
	if err != nil {
		t.Fatal(err)
	}
	filters := map[string]bool{}
	for _, c := range cases {
		for line := range strings.SplitSeq(c.Manifest, "\n") {
			tag, value, ok := strings.Cut(strings.TrimPrefix(line, "# "), ": ")
			if !strings.HasPrefix(line, "# ") || !ok || strings.Contains(tag, " ") {
				continue
			}
			if !slices.Contains([]string{"conformance", "filter", "feature"}, tag) {
				t.Errorf("%s: tag %q is none of conformance, filter, feature", c.Name, tag)
			}
			if tag == "filter" {
				filters[value] = true
			}
		}
	}
	for _, name := range []string{
		"RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "RequestRedirect",
		"URLRewrite", "CORS", "ExternalAuth",
	} {
		if !filters[name] {
			t.Errorf("no case has the tag \"# filter: %s\"", name)
		}
	}
}

func TestStrictDecoding(t *testing.T) {
	for _, c := range []struct{ name, manifest, script, want string }{
		{"an unknown key", "# Rule.", "- {name: a, request: {pth: /}}", "pth"},
		{"an unknown key of an expectation", "# Rule.", "- {name: a, request: {}, expect: {headers: {X: {regx: a}}}}", "regx"},
		{"a step of two kinds", "# Rule.", "- {name: a, request: {}, raw: {send: a}}", "exactly one"},
		{"a step of no kind", "# Rule.", "- {name: a}", "exactly one"},
		{"a step without a name", "# Rule.", "- {request: {}}", "name is missing"},
		{"no rule", "kind: Gateway", "- {name: a, request: {}}", "states the rule"},
		{"no steps", "# Rule.", "[]", "no steps"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "area", "case")
			writeCase(t, dir, c.manifest, c.script)
			_, err := Load(filepath.Dir(filepath.Dir(dir)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func writeCase(t *testing.T, dir, manifest, script string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"in.yaml": manifest, "requests.yaml": script} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWant(t *testing.T) {
	for _, c := range []struct {
		want   string
		values []string
		good   bool
	}{
		{"a", []string{"a"}, true},
		{"a", []string{"b"}, false},
		{"a", nil, false},
		{"1", []string{"1"}, true},
		{"null", nil, true},
		{"null", []string{""}, false},
		{`"a, b"`, []string{"a", "b"}, true},
		{"{regex: a+}", []string{"aaa"}, true},
		{"{regex: a+}", []string{"baaa"}, false},
		{"{regex: .*}", nil, false},
		{"{not: evil}", []string{"an evil one"}, false},
		{"{not: evil}", []string{"good"}, true},
		{"{not: evil}", nil, true},
		{"{present: true}", []string{""}, true},
		{"{present: true}", nil, false},
		{"{list: [a, b]}", []string{"B,a"}, true},
		{"{list: [a, b]}", []string{"a"}, false},
		{"{list: [a, b]}", []string{"a, b, c"}, false},
	} {
		var wants map[string]Want
		if err := yaml.Unmarshal([]byte("it: "+c.want), &wants); err != nil {
			t.Fatalf("%s: %v", c.want, err)
		}
		want := wants["it"]
		if problem := want.Check("it", c.values); (problem == "") != c.good {
			t.Errorf("%s against %q: %q, want good %v", c.want, c.values, problem, c.good)
		}
	}
}

// A case whose expectation is wrong fails, and the failure has all that is
// needed to understand it.
func TestFailureExplainsItself(t *testing.T) {
	good, err := load(".", filepath.Join("path", "exact"))
	if err != nil {
		t.Fatal(err)
	}
	bench := Bench{Dataplane: goproxy.Dataplane{}, Catalog: schema.NewCatalog()}
	for _, c := range []struct {
		name, script string
		want         []string
	}{
		{"a status", "- {name: the step, request: {path: /one}, expect: {status: 418}}", []string{"the step", "/one", "got 200", "want 418", "access log {"}},
		{"a backend", "- {name: a, request: {path: /one}, expect: {backend: two}}", []string{`got "default/one"`, `want "default/two"`}},
		{"a header of the answer", "- {name: a, request: {path: /one}, expect: {headers: {X-Not-There: b}}}", []string{"X-Not-There", "nothing"}},
		{"a header at the backend", "- {name: a, request: {path: /one}, expect: {got: {X-Request-Id: null}}}", []string{"X-Request-Id"}},
		{"a distribution", "- {name: a, request: {path: /one, times: 4}, expect: {distribution: {two: 1}}}", []string{"4 of 4 answers came from one"}},
		{"an arrival", "- {name: a, request: {path: /one}, arrived: [{backend: one, max: 0}]}", []string{"one got 1 requests"}},
		{"raw bytes", `- {name: a, raw: {send: "GET /one HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n", never: ["200 OK"]}}`, []string{"must never come", "GET /one"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wrong := &Case{Name: c.name, Manifest: good.Manifest}
			if err := yaml.UnmarshalStrict([]byte(c.script), &wrong.Steps); err != nil {
				t.Fatal(err)
			}
			err := wrong.Run(t.Context(), bench)
			if err == nil {
				t.Fatal("the case passed")
			}
			for _, text := range c.want {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q is missing from\n%v", text, err)
				}
			}
		})
	}
}
