package h3

import (
	"testing"
	"time"
)

// TestConnCountsRequests has more under way than may be.
func TestConnCountsRequests(t *testing.T) {
	c := &conn{server: New(Config{}), most: 2, patience: newPatience(), rest: time.NewTimer(forever)}
	if !c.begin() || !c.begin() || c.begin() {
		t.Error("two may be under way")
	}
	c.settle(false)
	if !c.begin() {
		t.Error("there is no place for another")
	}
}
