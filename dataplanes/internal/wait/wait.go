package wait

import (
	"testing"
	"time"
)

// patience is how long a condition may take on a machine that is busy with
// other tests.
const patience = time.Minute

// For waits until a condition holds. The test ends where it never does.
func For(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("it did not come to pass: %s", what)
		case <-tick.C:
		}
	}
}
