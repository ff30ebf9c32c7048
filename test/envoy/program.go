package envoy

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Variable names the program, for the tests and for dataplanes/envoy alike.
const Variable = "SLUICE_ENVOY"

// Program returns the path of Envoy's program: that of $SLUICE_ENVOY, or else
// the one that hack/envoy has put into the repository's .bin, or else the one in
// PATH. From then on $SLUICE_ENVOY names it, so that a dataplane that the test
// starts runs the same. Without any, the test is skipped.
func Program(t testing.TB) string {
	t.Helper()
	path := program()
	if path == "" {
		t.Skipf("skipped for want of Envoy: $%s names none, and there is none in .bin or in PATH (make test gets it)", Variable)
	}
	return path
}

var program = sync.OnceValue(func() string {
	path := find()
	if path != "" {
		_ = os.Setenv(Variable, path) //nolint:usetesting // For all tests of the process, once; t.Setenv would forbid them to be parallel.
	}
	return path
})

func find() string {
	if path := os.Getenv(Variable); path != "" {
		return executable(path)
	}
	if root := repository(); root != "" {
		if path := executable(filepath.Join(root, ".bin", "envoy")); path != "" {
			return path
		}
	}
	path, err := exec.LookPath("envoy")
	if err != nil {
		return ""
	}
	return path
}

// executable returns an absolute path that can be run, or nothing.
func executable(path string) string {
	found, err := exec.LookPath(path)
	if err != nil {
		return ""
	}
	if found, err = filepath.Abs(found); err != nil {
		return ""
	}
	return found
}

// repository returns the folder with the outermost go.mod above this one: tests
// run in their package's folder, and nested modules share the repository's .bin.
func repository() string {
	at, err := os.Getwd()
	if err != nil {
		return ""
	}
	root := ""
	for ; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			root = at
		}
		if at == filepath.Dir(at) {
			return root
		}
	}
}
