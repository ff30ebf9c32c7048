package h3

import (
	"testing"
	"time"
)

// TestConnCountsRequests has more under way than may be.
func TestConnCountsRequests(t *testing.T) {
	c := &conn{server: New(Config{}), most: 2, patience: newPatience(), rest: time.NewTimer(forever)}
	for i, want := range []bool{true, true, false} {
		if got := c.begin(); got != want {
			t.Errorf("request %d is let in: %t", i, got)
		}
	}
	c.settle(false)
	if !c.begin() {
		t.Error("there is no place for another")
	}
}
