package resources

import (
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Kind is an object's kind; no two groups that Sluice reads share one.
type Kind string

// Key names an object.
type Key struct {
	Kind      Kind
	Namespace string
	Name      string
}

// String is for messages: "Kind namespace/name".
func (k Key) String() string {
	if k.Namespace == "" {
		return string(k.Kind) + " " + k.Name
	}
	return string(k.Kind) + " " + k.Namespace + "/" + k.Name
}

// Compare orders keys by kind, namespace and name.
func (k Key) Compare(other Key) int {
	if c := strings.Compare(string(k.Kind), string(other.Kind)); c != 0 {
		return c
	}
	if c := strings.Compare(k.Namespace, other.Namespace); c != 0 {
		return c
	}
	return strings.Compare(k.Name, other.Name)
}

// Object is a typed Kubernetes object, held by pointer and never changed once
// it is in a Set.
type Object = metav1.Object

// Event is one change: Object is nil where the object is gone.
type Event struct {
	Key    Key
	Object Object
}

// Fact is something that can be read from a Set: an object (Index is empty), or
// the answer of an index to a value.
type Fact struct {
	Index string
	Key   Key
}

// Index answers which objects carry a value. Values returns the values of one
// object, nil for kinds that it does not index.
type Index struct {
	Name string
	// Kinds are those of the objects that it indexes: while one of them is
	// pending, so is every answer.
	Kinds  []Kind
	Values func(Key, Object) []Key
}

// ByKind is the name of the index that every Set has: all objects of a kind,
// asked for by a Key of which only the Kind is set.
const ByKind = "kind"

// Set holds objects by key. It is not safe for concurrent use: one loop owns it.
type Set struct {
	objects map[Key]Object
	indexes []Index
	// kinds are what each index holds, by its name.
	kinds   map[string][]Kind
	members map[Fact]*members
	pending map[Kind]bool
	// wanted are the stubs that were read.
	wanted map[Key]struct{}
}

// NewSet returns an empty set that keeps the given indexes.
func NewSet(indexes ...Index) *Set {
	kind := Index{Name: ByKind, Values: func(k Key, _ Object) []Key { return []Key{{Kind: k.Kind}} }}
	kinds := map[string][]Kind{}
	for _, index := range indexes {
		kinds[index.Name] = index.Kinds
	}
	return &Set{
		objects: map[Key]Object{},
		kinds:   kinds,
		indexes: append([]Index{kind}, indexes...),
		members: map[Fact]*members{},
		pending: map[Kind]bool{},
		wanted:  map[Key]struct{}{},
	}
}

// SetPending marks a kind whose objects have not been listed yet: reading one
// that is not there then answers Pending and not Absent.
func (s *Set) SetPending(kind Kind, pending bool) []Fact {
	if s.pending[kind] == pending {
		return nil
	}
	s.pending[kind] = pending
	return []Fact{{Index: ByKind, Key: Key{Kind: kind}}}
}

// Listed reports whether no kind is pending.
func (s *Set) Listed() bool {
	for _, pending := range s.pending {
		if pending {
			return false
		}
	}
	return true
}

// Holds reports whether an object is there, or a stub. It is no read: nothing
// that is computed may rest on it.
func (s *Set) Holds(key Key) bool { return s.objects[key] != nil }

// Apply takes events in and returns the facts that changed, each once, in order.
// An event that leaves an object as it is changes no fact.
func (s *Set) Apply(events []Event) []Fact {
	changed := map[Fact]struct{}{}
	for _, e := range events {
		s.apply(e, changed)
	}
	facts := make([]Fact, 0, len(changed))
	for f := range changed {
		facts = append(facts, f)
	}
	slices.SortFunc(facts, func(a, b Fact) int {
		if c := strings.Compare(a.Index, b.Index); c != 0 {
			return c
		}
		return a.Key.Compare(b.Key)
	})
	return facts
}

func (s *Set) apply(e Event, changed map[Fact]struct{}) {
	old, had := s.objects[e.Key]
	if e.Object == nil && !had || had && e.Object != nil && reflect.DeepEqual(old, e.Object) {
		return
	}
	before, after := s.values(e.Key, old), s.values(e.Key, e.Object)
	for f := range before {
		if _, stays := after[f]; !stays {
			s.leave(f, e.Key)
		}
		changed[f] = struct{}{}
	}
	for f := range after {
		if _, was := before[f]; !was {
			s.join(f, e.Key)
		}
		changed[f] = struct{}{}
	}
	changed[Fact{Key: e.Key}] = struct{}{}
	if e.Object == nil {
		delete(s.objects, e.Key)
		return
	}
	s.objects[e.Key] = e.Object
}

func (s *Set) values(key Key, obj Object) map[Fact]struct{} {
	facts := map[Fact]struct{}{}
	if obj == nil {
		return facts
	}
	for _, index := range s.indexes {
		for _, value := range index.Values(key, obj) {
			facts[Fact{Index: index.Name, Key: value}] = struct{}{}
		}
	}
	return facts
}

func (s *Set) join(f Fact, key Key) {
	if s.members[f] == nil {
		s.members[f] = &members{keys: map[Key]struct{}{}}
	}
	s.members[f].keys[key] = struct{}{}
	s.members[f].changed = append(s.members[f].changed, key)
}

func (s *Set) leave(f Fact, key Key) {
	delete(s.members[f].keys, key)
	s.members[f].changed = append(s.members[f].changed, key)
	if len(s.members[f].keys) == 0 {
		delete(s.members, f)
	}
}
