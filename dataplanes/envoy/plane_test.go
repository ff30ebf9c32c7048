package envoy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/envoy"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
	envoytest "github.com/sluice-gateway/sluice/test/envoy"
)

// An Envoy that ends is started again with what was in force.
func TestEnvoyEndsByItself(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	r.Route("http", "/", &ir.Rule{Backends: rig.To(r.Backend("one", rig.Named(t, "one")))})
	r.Must()
	r.kill()
	r.Until("that it ended", func(o dataplanes.Outcome) bool {
		return len(o.Problems) == 1 && strings.Contains(o.Problems[0].Message, "Envoy has ended (signal: killed)")
	})
	r.Until("that it serves again", func(o dataplanes.Outcome) bool { return len(o.Problems) == 0 && o.Version == "1" })
	rig.WantAnswer(t, addr, 200, "one")
}

// kill ends the one Envoy of the rig.
func (r *plane) kill() {
	r.T.Helper()
	process, err := os.FindProcess(r.pid())
	if err != nil {
		r.T.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		r.T.Fatal(err)
	}
}

// pid returns the one Envoy of the rig.
func (r *plane) pid() int {
	r.T.Helper()
	for _, child := range r.Local.(interface{ Children() []envoy.Child }).Children() {
		return child.PID
	}
	r.T.Fatal("no Envoy runs")
	return 0
}

// The end of all closes Outcomes, and leaves neither process nor directory.
func TestStop(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	r := newRig(t, dataplanes.Options{})
	r.Listen("http")
	r.Must()
	pid := r.pid()
	r.Stop()
	for range r.Outcomes { //nolint:revive // Until it is closed.
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		t.Errorf("process %d is there", pid)
	}
	if left, _ := filepath.Glob(tmp + "/*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// Without Envoy, or with another one, every listener says what to do; it is served
// once Envoy is there.
func TestEnvoyIsMissing(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	real := os.Getenv("SLUICE_ENVOY")
	if real == "" {
		real, _ = exec.LookPath("envoy")
	}
	dir := t.TempDir()
	for name, c := range map[string]struct{ program, want string }{
		"missing": {"", "set it to the path of Envoy 1.40"},
		"older":   {"#!/bin/sh\necho envoy  version: abc/1.20.1/Clean/RELEASE/BoringSSL\n", `is version "1.20.1": Envoy 1.40 is wanted`},
		"foreign": {"\x7fELF no program", "is no program for this machine"},
	} {
		path := filepath.Join(dir, name)
		if c.program != "" {
			if err := os.WriteFile(path, []byte(c.program), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("SLUICE_ENVOY", path)
		if out := r.Apply(); len(out.Problems) != 1 || out.Problems[0].Origin.Section != "http" || !strings.Contains(out.Problems[0].Message, c.want) {
			t.Errorf("%s: problems %v, want %q", name, out.Problems, c.want)
		}
	}
	t.Setenv("SLUICE_ENVOY", real)
	rig.AwaitAnswer(t, addr, 404)
}

// What makes Envoy end each time is told of, and what was in force before is again.
func TestEnvoyEndsEachTime(t *testing.T) {
	dir := t.TempDir()
	program, broken := filepath.Join(dir, "envoy"), filepath.Join(dir, "broken")
	real := envoytest.Program(t)
	script := fmt.Sprintf("#!/bin/sh\n[ -e %s ] && [ \"$1\" != --version ] && { echo '[critical] it is broken' >&2; exit 3; }\nexec %s \"$@\"\n", broken, real)
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SLUICE_ENVOY", program)
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	r.Must()
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.kill()
	r.Until("that it ends", func(o dataplanes.Outcome) bool {
		return len(o.Problems) == 1 && strings.Contains(o.Problems[0].Message, "it is broken")
	})
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	r.Until("that it serves", func(o dataplanes.Outcome) bool { return len(o.Problems) == 0 })
	rig.WantAnswer(t, addr, 404, "")
}
