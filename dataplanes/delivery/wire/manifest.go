package wire

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/hash"
)

// KeySum is the sum of a session key, as a pod says which one it has.
func KeySum(key ir.Secret) hash.Sum { return hash.OfForm([]byte(key)) }

// Total is the sum over a manifest.
func (m *Manifest) Total() hash.Sum {
	var lists [Kinds]hash.Sum
	for kind := range Kinds {
		lists[kind] = hash.OfList(m.List(kind))
	}
	return TotalOf(m.Version, &lists)
}

// TotalOf is Total where the sums over the lists are known: of a large unit, most
// lists stay as they were.
func TotalOf(version string, lists *[Kinds]hash.Sum) hash.Sum {
	h := sha256.New()
	for i := range lists {
		h.Write(lists[i][:])
	}
	h.Write([]byte(version))
	return hash.Sum(h.Sum(nil))
}

// List returns the sums of a kind.
func (m *Manifest) List(kind Kind) []hash.Sum {
	if int(kind) < len(m.Lists) {
		return m.Lists[kind]
	}
	return nil
}

// Check says what is wrong with a manifest that someone else has made.
func (m *Manifest) Check() error {
	if len(m.Lists) == 0 {
		return nil
	}
	total := 0
	for _, list := range m.Lists {
		total += len(list)
	}
	switch {
	case len(m.Lists) != int(Kinds):
		return fmt.Errorf("a manifest has %d lists, and not %d", len(m.Lists), Kinds)
	case total > MaxParts:
		return fmt.Errorf("a manifest of %d parts: at most %d are taken", total, MaxParts)
	case len(m.Lists[Rest]) != 1:
		return errors.New("a manifest has no settings, or several")
	}
	return nil
}

// Diff returns the splices that make a list of another, few for what changes
// here and there in place.
func Diff(from, to []hash.Sum) []Splice {
	if len(from) == len(to) {
		return replaced(from, to)
	}
	n := 0
	for n < min(len(from), len(to)) && from[n] == to[n] {
		n++
	}
	from, to = from[n:], to[n:]
	end := 0
	for end < min(len(from), len(to)) && from[len(from)-1-end] == to[len(to)-1-end] {
		end++
	}
	return []Splice{{At: n, Remove: len(from) - end, Insert: to[:len(to)-end]}}
}

// replaced returns a splice for each run that differs in lists of one length.
func replaced(from, to []hash.Sum) []Splice {
	var all []Splice
	for i := 0; i < len(from); i++ {
		begin := i
		for i < len(from) && from[i] != to[i] {
			i++
		}
		if i > begin {
			all = append(all, Splice{At: begin, Remove: i - begin, Insert: to[begin:i]})
		}
	}
	return all
}

var errSplice = errors.New("an edit of a list does not fit the list")

// Splices makes edits to a list of anything: insert says what a sum stands for.
func Splices[T any](list []T, edits []Splice, insert func(hash.Sum) (T, error)) ([]T, error) {
	next := make([]T, 0, len(list))
	at := 0
	for _, s := range edits {
		if s.At < at || s.Remove < 0 || s.At > len(list) || s.Remove > len(list)-s.At {
			return nil, errSplice
		}
		next = append(next, list[at:s.At]...)
		for _, sum := range s.Insert {
			one, err := insert(sum)
			if err != nil {
				return nil, err
			}
			next = append(next, one)
		}
		if len(next) > MaxParts {
			return nil, fmt.Errorf("a list of more than %d parts", MaxParts)
		}
		at = s.At + s.Remove
	}
	return slices.Concat(next, list[at:]), nil
}
