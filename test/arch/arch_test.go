package arch

import (
	"os"
	"os/exec"
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
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "./ir/...", "./translators/...", "./dataplanes/...")
	cmd.Dir = repository
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 10 {
		t.Fatalf("go list named %d packages: it has not seen the tree", len(deps))
	}
	for _, dep := range deps {
		if kubernetes(dep) {
			t.Errorf("%s is among the dependencies of what runs in a proxy's pod: `go mod why %s` says through whom", dep, dep)
		}
	}
}
