package feature

import (
	"maps"
	"slices"
)

// Name is a feature's name: Gateway API's own where it has one.
type Name string

// Set is a set of features.
type Set map[Name]struct{}

// NewSet returns a set of the given features.
func NewSet(names ...Name) Set {
	s := make(Set, len(names))
	for _, n := range names {
		s[n] = struct{}{}
	}
	return s
}

// Has reports whether the set holds a feature.
func (s Set) Has(n Name) bool {
	_, ok := s[n]
	return ok
}

// Without returns the set less the given features.
func (s Set) Without(names ...Name) Set {
	rest := maps.Clone(s)
	for _, n := range names {
		delete(rest, n)
	}
	return rest
}

// Missing returns those of the wanted features that the set lacks, in order.
func (s Set) Missing(wanted []Name) []Name {
	return slices.DeleteFunc(slices.Clone(wanted), s.Has)
}

// Sorted returns the features in the order of their names.
func (s Set) Sorted() []Name { return slices.Sorted(maps.Keys(s)) }
