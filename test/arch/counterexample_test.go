package arch

import (
	"strings"
	"testing"
	"testing/fstest"
)

// counterexample is a small tree that breaks one rule.
type counterexample struct {
	rule  string
	name  string
	files map[string]string
	// want is a part of the only message; empty means that nothing is broken.
	want string
}

const longDoc = " says here what it does, at some length, and what it must not do.\n"

func file(pkg string, lines ...string) string {
	return "package " + pkg + "\n\n" + strings.Join(lines, "\n") + "\n"
}

func importing(pkg string, paths ...string) string {
	return file(pkg, "import (\n\t\""+strings.Join(paths, "\"\n\t\"")+"\"\n)")
}

func long(name string, lines int) string {
	return "func " + name + "() {\n" + strings.Repeat("\tprintln()\n", lines-2) + "}"
}

var counterexamples = []counterexample{
	{"imports follow the table", "front end imports a dataplane", map[string]string{"operator/gatewayapi/a.go": importing("gatewayapi", Module+"/dataplanes")}, "operator/gatewayapi may import ir,"},
	{"imports follow the table", "translator imports the operator", map[string]string{"translators/goproxy/a.go": importing("goproxy", Module+"/operator/resources")}, "translators/* may import ir of the house"},
	{"imports follow the table", "dataplane imports the operator", map[string]string{"dataplanes/goproxy/listen/a.go": importing("listen", Module+"/operator/findings")}, "dataplanes/goproxy may import"},
	{"imports follow the table", "a shared room imports a proxy", map[string]string{"dataplanes/internal/wire/a.go": importing("wire", Module+"/dataplanes/goproxy/table")}, "dataplanes/internal may import"},
	{"imports follow the table", "one proxy imports another", map[string]string{"dataplanes/envoy/a.go": importing("envoy", Module+"/translators/haproxy")}, "imports translators/haproxy"},
	{"imports follow the table", "a test imports the app", map[string]string{"test/parity/a_test.go": importing("parity", Module+"/operator/app")}, "imports operator/app"},
	{"imports follow the table", "a test of the other half", map[string]string{"operator/gatewayapi/a_test.go": importing("gatewayapi", Module+"/operator/status", Module+"/dataplanes")}, "a_test.go imports dataplanes"},
	{"imports follow the table", "ir imports the house", map[string]string{"ir/order/a.go": importing("order", Module+"/operator/resources")}, "ir may import nothing else"},
	{"imports follow the table", "a folder without a room", map[string]string{"stuff/a.go": file("stuff")}, "no line of the table"},
	{"imports follow the table", "what is allowed", map[string]string{
		"dataplanes/goproxy/table/a.go": importing("table", Module+"/ir/order", Module+"/translators/goproxy", Module+"/dataplanes/internal/filter"),
		"cmd/sluice/main.go":            importing("main", Module+"/operator/app"),
	}, ""},
	{"the ir imports the standard library alone", "", map[string]string{"ir/a.go": importing("ir", "time", "golang.org/x/net/idna")}, "imports golang.org/x/net/idna"},
	{"neutral rooms know no Kubernetes", "", map[string]string{"dataplanes/goproxy/a.go": importing("goproxy", "sigs.k8s.io/yaml")}, "imports sigs.k8s.io/yaml"},
	{"pure packages have no world", "logger", map[string]string{"operator/gatewayapi/a.go": importing("gatewayapi", "log/slog")}, "say it in a finding"},
	{"pure packages have no world", "client", map[string]string{"operator/findings/a.go": importing("findings", "sigs.k8s.io/controller-runtime/pkg/client")}, "the engine reads and writes"},
	{"pure packages have no world", "clock", map[string]string{"translators/goproxy/a.go": file("goproxy", `import clock "time"`, "var now = clock.Now()")}, "take the time as an input"},
	{"pure packages have no world", "a test may", map[string]string{"ir/a_test.go": importing("ir", "os")}, ""},
	{"the proxy's filters know no codec", "", map[string]string{"dataplanes/internal/filter/a.go": file("filter", `import "net/http"`, "type f func(*http.Request)")}, "http.Request"},
	{"every package says what it is", "no doc.go", map[string]string{"ir/a.go": file("ir")}, "there is no such file"},
	{"every package says what it is", "other words", map[string]string{"ir/doc.go": "// The ir" + longDoc + "package ir\n"}, "does not begin with"},
	{"every package says what it is", "too little", map[string]string{"ir/doc.go": "// Package ir is it.\npackage ir\n"}, "too little"},
	{"every package says what it is", "good", map[string]string{"ir/doc.go": "// Package ir" + longDoc + "package ir\n"}, ""},
	{"packages have names of the field", "folder", map[string]string{"operator/util/a.go": file("names")}, "named util"},
	{"packages have names of the field", "package", map[string]string{"operator/names/a.go": file("helpers")}, "named helpers"},
	{"functions are short", "", map[string]string{"ir/a.go": file("ir", long("f", 81))}, "f has 81 lines"},
	{"functions are short", "just short enough", map[string]string{"ir/a.go": file("ir", long("f", 80))}, ""},
	{"functions are short", "tests may be long", map[string]string{"ir/a_test.go": file("ir", long("f", 81))}, ""},
	{"most functions are very short", "median", map[string]string{"ir/a.go": file("ir", repeat(long("f", 11), 20))}, "the median function has 11 lines"},
	{"most functions are very short", "tenth", map[string]string{"ir/a.go": file("ir", repeat(long("f", 3), 18), repeat(long("f", 36), 2))}, "one function in ten has more than 36"},
	{"files are short", "", map[string]string{"operator/engine/a.go": file("engine", strings.Repeat("\n", 400))}, "at most 400"},
	{"files are short", "ir", map[string]string{"ir/a.go": file("ir", strings.Repeat("\n", 600))}, "at most 600"},
	{"files are short", "generated", map[string]string{"api/v1/a.go": "// Code generated by x. DO NOT EDIT.\n\n" + file("v1", strings.Repeat("\n", 600))}, ""},
	{"main is short", "", map[string]string{"cmd/sluice/main.go": file("main", long("main", 61))}, "at most 60"},
	{"there is no init", "", map[string]string{"ir/a.go": file("ir", "func init() {}")}, "has an init"},
	{"there is no init", "a method", map[string]string{"ir/a.go": file("ir", "type t int", "func (t) init() {}")}, ""},
	{"core functions take one thing", "", map[string]string{"ir/order/a.go": file("order", "func F(a, b, c, d int) {}")}, "F takes 4 parameters"},
	{"core functions take one thing", "not exported", map[string]string{"ir/order/a.go": file("order", "func f(a, b, c, d int) {}")}, ""},
	{"tests wait for conditions", "", map[string]string{"ir/a_test.go": file("ir", `import "time"`, "func f() { time.Sleep(1) }")}, "ir/a_test.go:4: time.Sleep"},
	{"nested modules belong to the house", "name", map[string]string{"go.mod": "module " + Module + "\n\ngo 1.26.0\n", "tools/go.mod": "module x\n\ngo 1.26.0\n"}, "tools/go.mod is module x"},
	{"nested modules belong to the house", "version", map[string]string{"go.mod": "module " + Module + "\n\ngo 1.26.0\n", "test/cluster/go.mod": "module " + Module + "/test/cluster\n\ngo 1.25.0\n"}, "one version for all"},
	{"nested modules belong to the house", "build only", map[string]string{"go.mod": "module " + Module + "\n\ngo 1.26.0\n", "test/c/programs/p/go.mod": "module " + Module + "/test/c/programs/p\n\ngo 1.26.0\n", "test/c/programs/p/a.go": file("main")}, "every check would compile"},
	{"links lead somewhere", "file", map[string]string{"docs/a.md": "[x](b.md)"}, "there is no docs/b.md"},
	{"links lead somewhere", "anchor", map[string]string{"docs/a.md": "[x](#to-do)\n\n# Done\n"}, "no heading"},
	{"links lead somewhere", "good", map[string]string{"README.md": "[x](docs/a.md#what-is-it) [y](https://example.com) [z](docs)\n", "docs/a.md": "# What is it?\n"}, ""},
	{"every decision is listed", "not listed", map[string]string{"docs/adr/README.md": "", "docs/adr/0001-x.md": "## Context\n## Decision\n## Consequences\n"}, "is not listed"},
	{"every decision is listed", "no consequences", map[string]string{"docs/adr/README.md": "[x](0001-x.md)", "docs/adr/0001-x.md": "## Context\n## Decision\n"}, `has no "## Consequences"`},
	{"the docs name real targets", "span", map[string]string{"Makefile": "run:\n", "README.md": "`make run` or `make rum`\n"}, "`make rum`"},
	{"the docs name real targets", "block", map[string]string{"Makefile": "run:\n", "README.md": "```\n$ make rum\n```\n"}, "`make rum`"},
	{"no machine shows through", "", map[string]string{"docs/a.md": "\ncd " + forbidden[0] + "main\n"}, "docs/a.md:2 holds"},
}

func repeat(fn string, n int) string { return strings.Repeat(fn+"\n\n", n) }

func TestEachRuleFailsWhereItIsBroken(t *testing.T) {
	rules, shown := map[string]Rule{}, map[string]bool{}
	for _, r := range Rules() {
		rules[r.Name] = r
	}
	for _, c := range counterexamples {
		t.Run(strings.ReplaceAll(c.rule+" "+c.name, " ", "-"), func(t *testing.T) { c.check(t, rules[c.rule]) })
		shown[c.rule] = shown[c.rule] || c.want != ""
	}
	for name := range rules {
		if !shown[name] {
			t.Errorf("no counterexample shows that the rule %q fails where it is broken", name)
		}
	}
}

func (c counterexample) check(t *testing.T, rule Rule) {
	t.Helper()
	got := rule.Check(load(t, c.files))
	switch {
	case c.want == "" && len(got) > 0:
		t.Errorf("complains of what is right: %q", got)
	case c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)):
		t.Errorf("got %q, want one message with %q", got, c.want)
	}
}

func load(t *testing.T, files map[string]string) *Tree {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	tree, err := Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestLoadLeavesOutWhatIsNotSource(t *testing.T) {
	tree := load(t, map[string]string{
		"ir/testdata/bad.go": "not Go",
		".bin/x/a.go":        "not Go",
		".ci/run":            "#!/bin/bash",
		".git":               "gitdir: elsewhere",
		"ir/a.go":            file("ir"),
	})
	if len(tree.Go) != 1 || tree.Go[0].Path != "ir/a.go" {
		t.Errorf("parsed %d files, want ir/a.go alone", len(tree.Go))
	}
	if _, ok := tree.Text[".ci/run"]; !ok {
		t.Error(".ci/run was not read")
	}
	if _, ok := tree.Text[".git"]; ok {
		t.Error(".git was read, and is no source")
	}
}
