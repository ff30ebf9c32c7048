package wire

import (
	"sync"
	"sync/atomic"
)

// holders count the connections that keep a server alive.
type holders struct {
	retired atomic.Bool

	mu     sync.Mutex
	count  int
	closed bool
}

// add is false once the server is gone.
func (h *holders) add() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.count++
	return true
}

func (h *holders) remove() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count--
}

// close is true, once and for all, for a retired server that nobody holds.
func (h *holders) close() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = h.closed || h.retired.Load() && h.count == 0
	return h.closed
}
