package guard

import "sync/atomic"

// Budget is so many of something. The zero value, and nil, have no bound.
type Budget struct {
	most  int64
	taken atomic.Int64
}

// NewBudget returns a budget; most 0 is no bound.
func NewBudget(most int64) *Budget { return &Budget{most: most} }

// Most is the bound; 0 for none.
func (b *Budget) Most() int64 {
	if b == nil {
		return 0
	}
	return b.most
}

// Take takes n, which Give gives back, or takes nothing and is false.
func (b *Budget) Take(n int64) bool { return b == nil || b.TakeOf(n, b.most) }

// TakeOf is Take with a bound of the caller's; 0 is none.
func (b *Budget) TakeOf(n, most int64) bool {
	if taken := b.taken.Add(n); most > 0 && taken > most {
		b.taken.Add(-n)
		return false
	}
	return true
}

// Give gives back what was taken.
func (b *Budget) Give(n int64) {
	if b != nil {
		b.taken.Add(-n)
	}
}

// Taken is how much is taken.
func (b *Budget) Taken() int64 {
	if b == nil {
		return 0
	}
	return b.taken.Load()
}
