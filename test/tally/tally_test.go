package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module is a module whose tests lack what $TALLY_LACKS names.
const module = `package m

import (
	"os"
	"testing"
)

func need(t *testing.T) {
	if want := os.Getenv("TALLY_LACKS"); want != "" {
		t.Skip("skipped for want of " + want + ": it is not there")
	}
}

func TestOne(t *testing.T) { need(t) }

func TestMany(t *testing.T) {
	for _, name := range []string{"a", "b", "c d"} {
		t.Run(name, func(t *testing.T) { t.Parallel(); need(t) })
	}
}

func TestElse(t *testing.T) { t.Skip("for another reason") }

func TestFails(t *testing.T) {
	t.Log("a word about it")
	if os.Getenv("TALLY_FAILS") != "" {
		t.Error("it is wrong")
	}
}
`

func inModule(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv("GOFLAGS", "")
	for name, text := range map[string]string{"go.mod": "module m\n\ngo 1.26.0\n", "m_test.go": module, "else/e.go": "package else1\n"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhatIsSkippedIsCounted runs the same tests until their results come from
// the cache.
func TestWhatIsSkippedIsCounted(t *testing.T) {
	inModule(t)
	t.Setenv("TALLY_LACKS", "Envoy")
	for i := range 2 {
		var out strings.Builder
		if code := run("kept", []string{"./..."}, &out); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, &out)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 3 || !strings.Contains(out.String(), "ok  \tm\t") || lines[2] != "note: 4 tests were skipped for want of Envoy" {
			t.Fatalf("want a line for each package and the count of 4, have\n%s", &out)
		}
		if cached := strings.Contains(out.String(), "(cached)"); cached != (i == 1) {
			t.Fatalf("run %d: cached is %v, so this test does not show what it means to", i, cached)
		}
	}
	kept, err := os.ReadFile("kept")
	if err != nil || strings.Count(string(kept), "Envoy\tm TestMany/c_d\n") != 2 || strings.Count(string(kept), "\n") != 8 {
		t.Fatalf("want the 4 tests of both runs kept, have %v\n%s", err, kept)
	}
}

func TestNothingIsSaidWhereNothingIsSkipped(t *testing.T) {
	inModule(t)
	var out strings.Builder
	if code := run("kept", []string{"."}, &out); code != 0 || strings.Contains(out.String(), "note:") {
		t.Fatalf("exit code %d:\n%s", code, &out)
	}
}

func TestAFailureIsPrintedAndCounted(t *testing.T) {
	inModule(t)
	t.Setenv("TALLY_FAILS", "1")
	t.Setenv("TALLY_LACKS", "HAProxy")
	var out strings.Builder
	if code := run("", []string{"."}, &out); code != 1 {
		t.Fatalf("exit code %d, want 1:\n%s", code, &out)
	}
	for _, want := range []string{"--- FAIL: TestFails", "a word about it", "it is wrong", "FAIL\tm\t", "note: 4 tests were skipped for want of HAProxy\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the output:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "=== RUN") || strings.Contains(out.String(), "TestElse") {
		t.Errorf("the output has what passed:\n%s", &out)
	}
}

func TestWhatDoesNotCompileIsPrinted(t *testing.T) {
	inModule(t)
	if err := os.WriteFile("x_test.go", []byte("package m\n\nvar x int = \"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if code := run("", []string{"./..."}, &out); code != 1 || !strings.Contains(out.String(), "x_test.go:3") || !strings.Contains(out.String(), "FAIL\tm [build failed]") {
		t.Fatalf("exit code %d, want 1:\n%s", code, &out)
	}
}
