package envoy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
)

// Envoy has as many threads that serve as this program may use processors, however
// many the machine has.
func TestThreadsAreBounded(t *testing.T) {
	const some = 3
	t.Cleanup(func(before int) func() { return func() { runtime.GOMAXPROCS(before) } }(runtime.GOMAXPROCS(some)))
	r := newRig(t, dataplanes.Options{})
	r.Listen("http")
	r.Must()
	names, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/comm", r.pid()))
	if err != nil {
		t.Fatal(err)
	}
	workers := 0
	for _, name := range names {
		if text, err := os.ReadFile(name); err == nil && strings.HasPrefix(string(text), "wrk:") {
			workers++
		}
	}
	if workers != some {
		t.Errorf("have %d threads, want %d", workers, some)
	}
}
