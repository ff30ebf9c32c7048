package upstream

import (
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// TestTapeReadsNoOtherRequest has the tape's goroutine begin when the exchange is
// over, and its request has become another's.
func TestTapeReadsNoOtherRequest(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	mine, others := strings.NewReader("mine"), strings.NewReader("another's")
	source := &exchange.Request{Length: 4, Body: io.NopCloser(mine)}
	p := newTape(source, maxReplay)
	p.mu.Lock()
	p.advance()
	source.Body = io.NopCloser(others)
	for p.busy {
		p.turn.Wait()
	}
	p.mu.Unlock()
	if string(p.kept) != "mine" || others.Len() != len("another's") {
		t.Errorf("kept %q, and %d are left of the other", p.kept, others.Len())
	}
}
