package resources

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Stub stands in for an object that is known to be there and whose content has
// not been read. Reading it answers Pending and notes that its content is
// wanted; whoever feeds the Set then puts the object itself in its place.
type Stub struct{ metav1.ObjectMeta }

var _ Object = (*Stub)(nil)

// NewStub returns what stands in for an object.
func NewStub(key Key) *Stub {
	return &Stub{metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
}

// Wanted returns the keys of the stubs that were read since it was last asked,
// ordered.
func (s *Set) Wanted() []Key {
	if len(s.wanted) == 0 {
		return nil
	}
	keys := slices.SortedFunc(maps.Keys(s.wanted), Key.Compare)
	clear(s.wanted)
	return keys
}
