package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Wanted is a program that tests run.
type Wanted struct {
	// Name is what people call it.
	Name string
	// Variable is of the environment and names the program, for the tests and for
	// the dataplane alike.
	Variable string
	// File is its name in the repository's .bin and in PATH.
	File string
	// Fits says whether the one in PATH will do; nil is any. One that is named, or
	// is in .bin, was chosen.
	Fits func(path string) bool

	once sync.Once
	path string
}

// Path returns the program's path: that of the variable, or else the one in .bin,
// or else the one in PATH. From then on the variable names it, so that a dataplane
// that the test starts runs the same. Without any, the test is skipped.
func (w *Wanted) Path(t testing.TB) string {
	t.Helper()
	w.once.Do(func() {
		if w.path = w.find(); w.path != "" {
			_ = os.Setenv(w.Variable, w.path) //nolint:usetesting // For all tests of the process, once; t.Setenv would forbid them to be parallel.
		}
	})
	if w.path == "" {
		t.Skipf("skipped for want of %s: $%s names none, and there is none in .bin or in PATH (make test gets it)", w.Name, w.Variable)
	}
	return w.path
}

func (w *Wanted) find() string {
	if path := os.Getenv(w.Variable); path != "" {
		return executable(path)
	}
	if root := repository(); root != "" {
		if path := executable(filepath.Join(root, ".bin", w.File)); path != "" {
			return path
		}
	}
	path, err := exec.LookPath(w.File)
	if err != nil || w.Fits != nil && !w.Fits(path) {
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
