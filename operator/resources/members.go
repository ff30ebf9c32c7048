package resources

import (
	"maps"
	"slices"
)

// members are the keys that an index holds for one value. The order is made
// when it is asked for: keeping it while 100,000 objects arrive would be
// quadratic.
type members struct {
	keys map[Key]struct{}
	// sorted is the order as it was when it was last asked for. It is shared
	// with readers, so it is replaced and never changed.
	sorted []Key
	// changed are the keys that came or went since then.
	changed []Key
}

func (m *members) list() []Key {
	switch {
	case m == nil:
		return nil
	case len(m.changed) == 0:
		return m.sorted
	case len(m.changed) > len(m.sorted)/8:
		m.sorted = slices.SortedFunc(maps.Keys(m.keys), Key.Compare)
	default:
		m.sorted = m.merged()
	}
	m.changed = nil
	return m.sorted
}

// merged puts the few changed keys into the order of the many others.
func (m *members) merged() []Key {
	slices.SortFunc(m.changed, Key.Compare)
	changed := slices.Compact(m.changed)
	merged := make([]Key, 0, len(m.keys))
	rest := m.sorted
	for _, key := range changed {
		at, found := slices.BinarySearchFunc(rest, key, Key.Compare)
		merged = append(merged, rest[:at]...)
		if found {
			at++
		}
		rest = rest[at:]
		if _, in := m.keys[key]; in {
			merged = append(merged, key)
		}
	}
	return append(merged, rest...)
}
