package agent

import "slices"

// Guilty is an element that a proxy refuses, and its words.
type Guilty[T any] struct {
	Suspect T
	Words   string
}

// Bisect returns which of the suspects a proxy refuses. Refuse tries some of them,
// without the others, and returns the proxy's words; none where it takes them. It
// is asked about twice the logarithm of their number for each that is guilty.
//
// Where some are refused together alone, the one that the others do not go with is
// the last of them.
func Bisect[T any](suspects []T, refuse func([]T) (string, error)) ([]Guilty[T], error) {
	if len(suspects) == 0 {
		return nil, nil
	}
	words, err := refuse(suspects)
	if err != nil || words == "" {
		return nil, err
	}
	return bisect(suspects, words, refuse)
}

// bisect does the same for suspects of which one at least is guilty.
func bisect[T any](suspects []T, words string, refuse func([]T) (string, error)) ([]Guilty[T], error) {
	if len(suspects) == 1 {
		return []Guilty[T]{{suspects[0], words}}, nil
	}
	half := len(suspects) / 2
	left, err := Bisect(suspects[:half], refuse)
	if err != nil {
		return nil, err
	}
	right, err := Bisect(suspects[half:], refuse)
	if err != nil {
		return nil, err
	}
	if guilty := slices.Concat(left, right); len(guilty) > 0 {
		return guilty, nil
	}
	return together(suspects, words, refuse)
}

// together finds the last of those that are refused only beside others: the one
// without which those before it are taken.
func together[T any](suspects []T, words string, refuse func([]T) (string, error)) ([]Guilty[T], error) {
	taken, refused := 0, len(suspects)
	for refused-taken > 1 {
		middle := (taken + refused) / 2
		said, err := refuse(suspects[:middle])
		if err != nil {
			return nil, err
		}
		if said == "" {
			taken = middle
			continue
		}
		refused, words = middle, said
	}
	return []Guilty[T]{{suspects[refused-1], words}}, nil
}
