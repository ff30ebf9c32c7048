package arch

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const repository = "../.."

func TestTheHouse(t *testing.T) {
	tree, err := Load(os.DirFS(repository))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Go) < 10 || len(tree.Modules) < 2 {
		t.Fatalf("found %d Go files and %d modules: the tree was not read", len(tree.Go), len(tree.Modules))
	}
	for _, rule := range Rules() {
		t.Run(strings.ReplaceAll(rule.Name, " ", "-"), func(t *testing.T) {
			for _, broken := range rule.Check(tree) {
				t.Error(broken)
			}
		})
	}
}

// The rule about imports sees one step; this one sees all of them, through the
// modules of others too.
func TestNothingBehindTheProxyIsKubernetes(t *testing.T) {
	// What makes the objects that pods run in is the operator's, and none of them.
	behind := slices.DeleteFunc(goList(t, "./ir/...", "./translators/...", "./dataplanes/..."), func(pkg string) bool {
		return strings.HasPrefix(pkg+"/", Module+"/"+provision+"/")
	})
	deps := goList(t, append([]string{"-deps"}, behind...)...)
	if len(deps) < 10 {
		t.Fatalf("go list named %d packages: it has not seen the tree", len(deps))
	}
	for _, dep := range deps {
		if kubernetes(dep) {
			t.Errorf("%s is among the dependencies of what runs in a proxy's pod: `go mod why %s` says through whom", dep, dep)
		}
	}
}

// goList returns the packages that "go list" names.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-e"}, args...)...) //nolint:gosec // The arguments are this file's.
	cmd.Dir = repository
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Fields(string(out))
}
