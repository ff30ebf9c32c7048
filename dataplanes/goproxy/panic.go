package goproxy

import (
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// panics says once a second at most where requests have panicked.
type panics struct{ said atomic.Int64 }

// panicked takes note of a request that has, in the goroutine in which it did.
func (s *shared) panicked(value any) {
	s.metrics.Panicked()
	now, said := time.Now().UnixNano(), s.panics.said.Load()
	if now-said < int64(time.Second) || !s.panics.said.CompareAndSwap(said, now) {
		return
	}
	slog.Error("a request was cut off by a fault of this program", "panic", value, "stack", string(debug.Stack()))
}
