package conformance

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"sigs.k8s.io/gateway-api/conformance/utils/suite"
)

// progress says how far a run is: a run takes many minutes, and `go test` is
// silent about tests that pass.
type progress struct {
	all int

	mu   sync.Mutex
	done int
}

// note is the suite's hook: it is called when a test has ended.
func (p *progress) note(t *testing.T, test suite.ConformanceTest, _ *suite.ConformanceTestSuite) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	verdict := "ok"
	switch {
	case t.Failed():
		verdict = "FAILED"
	case t.Skipped():
		verdict = "SKIPPED"
		t.Errorf("%s was skipped: a run has every test, or it is none", test.ShortName)
	}
	fmt.Fprintf(os.Stderr, "%3d/%d %-7s %s\n", p.done, p.all, verdict, test.ShortName)
}
