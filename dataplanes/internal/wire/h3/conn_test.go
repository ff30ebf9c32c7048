package h3

import (
	"net/http"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// TestHeaderBytes leaves room for a header as long as may be, in as many fields.
func TestHeaderBytes(t *testing.T) {
	for limit, most := range map[int]int{8 << 10: 16 << 10, 64 << 10: 128 << 10, 0: 1 << 20} {
		got := headerBytes(&Config{Limits: ir.Limits{RequestHeaderBytes: limit}})
		if got < limit+32*mostFields || got > most {
			t.Errorf("%d of a header of %d may be read, want no more than %d", got, limit, most)
		}
	}
}

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

// TestPanicIsToldOf has a request panic: its stream is left to quic-go, and what
// ends an answer on purpose is no fault.
func TestPanicIsToldOf(t *testing.T) {
	for value, want := range map[any]int{"a fault": 1, http.ErrAbortHandler: 0} {
		told := 0
		c := &conn{server: New(Config{Panicked: func(any) { told++ }})}
		passed := func() (v any) {
			defer func() { v = recover() }()
			defer c.recover()
			panic(value)
		}()
		if told != want || passed != http.ErrAbortHandler {
			t.Errorf("%v: told %d times, want %d; quic-go gets %v", value, told, want, passed)
		}
	}
}
