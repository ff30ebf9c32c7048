package hash

import (
	"crypto/sha256"
	"slices"
)

// Memo keeps the sums of the parts that were asked for last, in their order, so
// that a part that is the same pointer as last time, and so the same, costs
// nothing: of 5,000 routes an edit changes one. The zero value knows none.
type Memo[T any] struct {
	parts []*T
	sums  []Sum
}

// Sums returns the sums of a list, and makes those of new parts alone. The
// result is the caller's to read, and never changes.
func (m *Memo[T]) Sums(parts []*T, sum func(*T) Sum) []Sum {
	known := m.finder()
	next := Memo[T]{parts: parts, sums: make([]Sum, len(parts))}
	for i, part := range parts {
		one, ok := known(part)
		if !ok {
			one = sum(part)
		}
		next.sums[i] = one
	}
	*m = next
	return next.sums
}

// OfList returns the sum over a list of sums.
func OfList(sums []Sum) Sum {
	h := sha256.New()
	for i := range sums {
		h.Write(sums[i][:])
	}
	return Sum(h.Sum(nil))
}

// finder returns what finds the sum of a part: mostly right behind the one found
// before, else somewhere, else by an index, which is made where many are looked
// for.
func (m *Memo[T]) finder() func(*T) (Sum, bool) {
	const few = 8
	at, searched := 0, 0
	var index map[*T]int
	return func(part *T) (Sum, bool) {
		for _, next := range []int{at, at + 1} {
			if next < len(m.parts) && m.parts[next] == part {
				at = next + 1
				return m.sums[next], true
			}
		}
		i := -1
		if searched++; searched <= few {
			i = slices.Index(m.parts, part)
		} else {
			if index == nil {
				index = m.index()
			}
			if known, ok := index[part]; ok {
				i = known
			}
		}
		if i < 0 {
			return Sum{}, false
		}
		at = i + 1
		return m.sums[i], true
	}
}

func (m *Memo[T]) index() map[*T]int {
	index := make(map[*T]int, len(m.parts))
	for i, p := range m.parts {
		index[p] = i
	}
	return index
}
