package pod_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	"github.com/sluice-gateway/sluice/dataplanes/pod"
	"github.com/sluice-gateway/sluice/test/envoy"
	"github.com/sluice-gateway/sluice/test/haproxy"
)

// others are the proxies that others make: what people call them, how their
// program is named, how it is asked for its version, and where the real one is.
var others = []struct {
	name, dataplane, variable, version string
	program                            func(testing.TB) string
}{
	{"Envoy", "envoy", envoy.Variable, "--version", envoy.Program},
	{"HAProxy", "haproxy", haproxy.Variable, "-v", haproxy.Program},
}

// TestAnImageWithoutItsProxy: the program ends before it takes the place of one
// that serves, and its last words say what the image lacks.
func TestAnImageWithoutItsProxy(t *testing.T) {
	for _, o := range others {
		t.Run(o.name, func(t *testing.T) {
			w := newWorld(t)
			args := append([]string{"agent", "--dataplane", o.dataplane}, w.args[1:]...)
			t.Setenv(o.variable, filepath.Join(w.dir, "none"))
			log := &lines{}
			if code := pod.Main(t.Context(), args, pod.Streams{Out: io.Discard, Err: log}); code != 2 {
				t.Errorf("it ends with %d", code)
			}
			if last := strings.TrimSpace(log.String()); !strings.HasPrefix(last, "sluice-proxy: no "+o.name+" can be run") {
				t.Errorf("its last words are %q", last)
			}
		})
	}
}

// TestAProxyThatDoesNotStay: a pod whose proxy ends again and again is not ready,
// and says why to its operator; once it stays, the pod is.
func TestAProxyThatDoesNotStay(t *testing.T) {
	for _, o := range others {
		t.Run(o.name, func(t *testing.T) {
			w := newWorld(t)
			real := o.program(t)
			w.as(t, []string{"agent", "--dataplane", o.dataplane})
			broken := filepath.Join(w.dir, "broken")
			w.file(t, "broken", nil)
			script := filepath.Join(w.dir, o.dataplane)
			text := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = %s ] || [ ! -e %s ] || { echo critical: no memory >&2; exit 1; }\nexec %s \"$@\"\n", o.version, broken, real)
			if err := os.WriteFile(script, []byte(text), 0o700); err != nil { //nolint:gosec // It is to be run.
				t.Fatal(err)
			}
			t.Setenv(o.variable, script)
			w.set("v1")
			w.Lead(1)
			w.start(t)
			wait.For(t, "it says why it does not serve", func() bool {
				problems := w.reports().Problems
				return len(problems) > 0 && strings.Contains(problems[0].Message, o.name)
			})
			if got := status(w.admin, "/readyz"); got != http.StatusServiceUnavailable {
				t.Errorf("while %s does not stay /readyz is %d", o.name, got)
			}
			if err := os.Remove(broken); err != nil {
				t.Fatal(err)
			}
			wait.For(t, "it is ready", func() bool { return status(w.admin, "/readyz") == http.StatusOK })
			wait.For(t, "nothing is wrong any more", func() bool { return len(w.reports().Problems) == 0 })
			if got := status(w.port, "/"); got != http.StatusNotFound {
				t.Errorf("%s answers %d", o.name, got)
			}
		})
	}
}
