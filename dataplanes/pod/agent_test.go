package pod_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/envoy"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	"github.com/sluice-gateway/sluice/dataplanes/pod"
)

// TestAnImageWithoutEnvoy: the program ends before it takes the place of one that
// serves, and its last words say what the image lacks.
func TestAnImageWithoutEnvoy(t *testing.T) {
	w := newWorld(t)
	args := append([]string{"agent", "--dataplane", "envoy"}, w.args[1:]...)
	t.Setenv(envoy.Variable, "")
	t.Setenv("PATH", t.TempDir())
	log := &lines{}
	if code := pod.Main(t.Context(), args, pod.Streams{Out: io.Discard, Err: log}); code != 2 {
		t.Errorf("it ends with %d", code)
	}
	if last := strings.TrimSpace(log.String()); !strings.HasPrefix(last, "sluice-proxy: there is no Envoy here") {
		t.Errorf("its last words are %q", last)
	}
}

// TestEnvoyThatDoesNotStay: a pod whose Envoy ends again and again is not ready,
// and says why to its operator; once it stays, the pod is.
func TestEnvoyThatDoesNotStay(t *testing.T) {
	real, err := envoy.Find()
	if err != nil {
		t.Skip(err)
	}
	w := newWorld(t)
	w.as(t, []string{"agent", "--dataplane", "envoy"})
	broken := filepath.Join(w.dir, "broken")
	w.file(t, "broken", nil)
	script := filepath.Join(w.dir, "envoy")
	text := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = --version ] || [ ! -e %s ] || { echo critical: no memory >&2; exit 1; }\nexec %s \"$@\"\n", broken, real)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil { //nolint:gosec // It is to be run.
		t.Fatal(err)
	}
	t.Setenv(envoy.Variable, script)
	w.set("v1")
	w.Lead(1)
	w.start(t)
	wait.For(t, "it says why it does not serve", func() bool {
		problems := w.reports().Problems
		return len(problems) > 0 && strings.Contains(problems[0].Message, "Envoy")
	})
	if got := status(w.admin, "/readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("while Envoy does not stay /readyz is %d", got)
	}
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	wait.For(t, "it is ready", func() bool { return status(w.admin, "/readyz") == http.StatusOK })
	wait.For(t, "nothing is wrong any more", func() bool { return len(w.reports().Problems) == 0 })
	if got := status(w.port, "/"); got != http.StatusNotFound {
		t.Errorf("Envoy answers %d", got)
	}
}
