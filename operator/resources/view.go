package resources

// State tells three answers apart: an object is there, it is known not to be,
// or nobody can know yet because its kind has not been listed or its content not
// been read.
type State int

// The answers to a read.
const (
	Absent State = iota
	Pending
	Present
)

// View reads a Set and records every fact that was read. A view belongs to one
// computation and is thrown away with it.
type View struct {
	set     *Set
	reads   map[Fact]struct{}
	pending bool
}

// NewView returns a view of the set as it is now.
func (s *Set) NewView() *View {
	return &View{set: s, reads: map[Fact]struct{}{}}
}

// Get reads one object.
func (v *View) Get(key Key) (Object, State) {
	v.reads[Fact{Key: key}] = struct{}{}
	if obj, ok := v.set.objects[key]; ok {
		if _, stub := obj.(*Stub); stub {
			v.set.wanted[key] = struct{}{}
			v.pending = true
			return nil, Pending
		}
		return obj, Present
	}
	if v.Await(key.Kind) {
		return nil, Pending
	}
	return nil, Absent
}

// Await reports whether a kind is still pending, and if so makes this
// computation depend on that.
func (v *View) Await(kind Kind) bool {
	if !v.set.pending[kind] {
		return false
	}
	v.reads[Fact{Index: ByKind, Key: Key{Kind: kind}}] = struct{}{}
	v.pending = true
	return true
}

// List returns the keys that an index holds for a value, ordered. The slice is
// shared and must not be changed.
func (v *View) List(index string, value Key) []Key {
	fact := Fact{Index: index, Key: value}
	v.reads[fact] = struct{}{}
	if index == ByKind {
		v.Await(value.Kind)
	}
	for _, kind := range v.set.kinds[index] {
		v.Await(kind)
	}
	return v.set.members[fact].list()
}

// Pending reports whether anything that was read may still appear. Nothing that
// was computed from such a view may be sent or written.
func (v *View) Pending() bool { return v.pending }

// Get reads one object as its own type; nil where it is absent or pending.
func Get[T Object](v *View, key Key) (T, State) {
	obj, state := v.Get(key)
	typed, ok := obj.(T)
	if state == Present && !ok {
		return typed, Absent
	}
	return typed, state
}
