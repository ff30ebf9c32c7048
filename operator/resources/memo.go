package resources

// Memo keeps the results of computations over a Set, each until a fact that it
// read changes.
type Memo[ID comparable, V any] struct {
	entries map[ID]entry[V]
	readers map[Fact]map[ID]struct{}
}

type entry[V any] struct {
	value   V
	reads   map[Fact]struct{}
	pending bool
}

// NewMemo returns an empty memo.
func NewMemo[ID comparable, V any]() *Memo[ID, V] {
	return &Memo[ID, V]{entries: map[ID]entry[V]{}, readers: map[Fact]map[ID]struct{}{}}
}

// Do returns the kept result of id, or computes and keeps it.
func (m *Memo[ID, V]) Do(set *Set, id ID, compute func(*View) V) V {
	return m.do(set, id, compute).value
}

// Within is Do as a part of another computation, which then depends on all that
// this one read.
func (m *Memo[ID, V]) Within(outer *View, id ID, compute func(*View) V) V {
	e := m.do(outer.set, id, compute)
	for fact := range e.reads {
		outer.reads[fact] = struct{}{}
	}
	outer.pending = outer.pending || e.pending
	return e.value
}

func (m *Memo[ID, V]) do(set *Set, id ID, compute func(*View) V) entry[V] {
	if e, ok := m.entries[id]; ok {
		return e
	}
	view := set.NewView()
	value := compute(view)
	e := entry[V]{value: value, reads: view.reads, pending: view.pending}
	m.entries[id] = e
	for fact := range e.reads {
		if m.readers[fact] == nil {
			m.readers[fact] = map[ID]struct{}{}
		}
		m.readers[fact][id] = struct{}{}
	}
	return e
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

// Reads reports whether a result that is kept has read a fact.
func (m *Memo[ID, V]) Reads(fact Fact) bool { return len(m.readers[fact]) > 0 }

// Len is the number of results kept.
func (m *Memo[ID, V]) Len() int { return len(m.entries) }
