package upstream

import (
	"sync/atomic"

	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
)

// Tapes bound what is kept of all bodies together for another try. A body that
// finds no room is sent on as it comes, and but once. Nil is no bound.
type Tapes struct {
	kept guard.Budget
	most atomic.Int64
	full func()
}

// NewTapes returns tapes without a bound. Full is called for each body that finds
// no room.
func NewTapes(full func()) *Tapes { return &Tapes{full: full} }

// Bound sets the bound in bytes; 0 is none. Bodies that are kept already stay.
func (t *Tapes) Bound(bytes int64) { t.most.Store(bytes) }

// Kept is how many bytes are.
func (t *Tapes) Kept() int64 { return t.kept.Taken() }

func (t *Tapes) take(n int) bool {
	if t == nil || t.kept.TakeOf(int64(n), t.most.Load()) {
		return true
	}
	t.full()
	return false
}

func (t *Tapes) give(n int) {
	if t != nil {
		t.kept.Give(int64(n))
	}
}
