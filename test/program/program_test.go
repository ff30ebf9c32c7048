package program

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWhereAProgramIsFound(t *testing.T) {
	root := t.TempDir()
	for _, file := range []string{"named/x", ".bin/x", "path/x", "go.mod", "deep/er/go.mod"} {
		to := filepath.Join(root, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, []byte("#!/bin/sh\n"), 0o700)); err != nil { //nolint:gosec // Programs of the test's own.
			t.Fatal(err)
		}
	}
	t.Chdir(filepath.Join(root, "deep", "er"))
	t.Setenv("PATH", filepath.Join(root, "path"))
	wants := func(w *Wanted, want string) {
		t.Helper()
		w.Name, w.File, w.Variable = "X", "x", "SLUICE_X"
		if want != "" {
			want = filepath.Join(root, want)
		}
		if got := w.find(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	t.Setenv("SLUICE_X", filepath.Join(root, "none"))
	wants(&Wanted{}, "")
	t.Setenv("SLUICE_X", filepath.Join(root, "named", "x"))
	wants(&Wanted{}, "named/x")
	t.Setenv("SLUICE_X", "")
	unfit := func(string) bool { return false }
	wants(&Wanted{Fits: unfit}, ".bin/x")
	if err := os.Remove(filepath.Join(root, ".bin", "x")); err != nil {
		t.Fatal(err)
	}
	wants(&Wanted{}, "path/x")
	wants(&Wanted{Fits: unfit}, "")
}
