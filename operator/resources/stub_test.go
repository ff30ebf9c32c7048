package resources_test

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/operator/resources"
)

// A stub is pending and wanted until the object takes its place, and whoever read
// it is told.
func TestStub(t *testing.T) {
	key := resources.Key{Kind: resources.Secret, Namespace: "a", Name: "b"}
	set := resources.NewSet()
	set.Apply([]resources.Event{{Key: key, Object: resources.NewStub(key)}})
	if got := set.Wanted(); got != nil {
		t.Errorf("nobody has read, and %v are wanted", got)
	}
	memo := resources.NewMemo[int, resources.State]()
	read := func() resources.State {
		return memo.Do(set, 1, func(v *resources.View) resources.State {
			obj, state := resources.Get[*corev1.Secret](v, key)
			if (state == resources.Pending) != v.Pending() || (obj != nil) != (state == resources.Present) {
				t.Errorf("state %v, pending %v, object %v", state, v.Pending(), obj)
			}
			return state
		})
	}
	if got := read(); got != resources.Pending {
		t.Fatalf("a stub is %v", got)
	}
	if got := set.Wanted(); !slices.Equal(got, []resources.Key{key}) || set.Wanted() != nil {
		t.Errorf("wanted: %v", got)
	}
	facts := set.Apply([]resources.Event{{Key: key, Object: &corev1.Secret{}}})
	if stale := memo.Invalidate(facts); len(stale) != 1 || read() != resources.Present {
		t.Errorf("the content touches %v", stale)
	}
	if !memo.Reads(resources.Fact{Key: key}) || !set.Holds(key) {
		t.Error("what was read is not known to be")
	}
	memo.Invalidate(set.Apply([]resources.Event{{Key: key}}))
	if read() != resources.Absent || set.Holds(key) {
		t.Error("what is gone is there")
	}
}
