package resources

// Memo keeps the results of computations over a Set, each until a fact that it
// read changes.
type Memo[ID comparable, V any] struct {
	entries map[ID]entry[V]
	readers map[Fact]map[ID]struct{}
}

type entry[V any] struct {
	value V
	reads map[Fact]struct{}
}

// NewMemo returns an empty memo.
func NewMemo[ID comparable, V any]() *Memo[ID, V] {
	return &Memo[ID, V]{entries: map[ID]entry[V]{}, readers: map[Fact]map[ID]struct{}{}}
}

// Do returns the kept result of id, or computes and keeps it.
func (m *Memo[ID, V]) Do(set *Set, id ID, compute func(*View) V) V {
	if e, ok := m.entries[id]; ok {
		return e.value
	}
	view := set.NewView()
	e := entry[V]{value: compute(view), reads: view.reads}
	m.entries[id] = e
	for fact := range e.reads {
		if m.readers[fact] == nil {
			m.readers[fact] = map[ID]struct{}{}
		}
		m.readers[fact][id] = struct{}{}
	}
	return e.value
}

// Invalidate forgets every result that read one of the facts, and returns
// their ids.
func (m *Memo[ID, V]) Invalidate(facts []Fact) []ID {
	var stale []ID
	for _, fact := range facts {
		for id := range m.readers[fact] {
			stale = append(stale, id)
			m.Forget(id)
		}
	}
	return stale
}

// Forget drops the result of one id.
func (m *Memo[ID, V]) Forget(id ID) {
	for fact := range m.entries[id].reads {
		delete(m.readers[fact], id)
		if len(m.readers[fact]) == 0 {
			delete(m.readers, fact)
		}
	}
	delete(m.entries, id)
}

// Len is the number of results kept.
func (m *Memo[ID, V]) Len() int { return len(m.entries) }
