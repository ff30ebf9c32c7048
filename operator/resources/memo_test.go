package resources_test

import (
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/operator/resources"
)

func TestMemoForgetsWhatReadAChange(t *testing.T) {
	set := newSet()
	memo := resources.NewMemo[string, int]()
	runs := 0
	read := func(name string) int {
		return memo.Do(set, name, func(v *resources.View) int {
			v.Get(key(name))
			v.List(byLabel, resources.Key{Name: name})
			runs++
			return runs
		})
	}
	if read("a") != 1 || read("b") != 2 || read("a") != 1 {
		t.Fatal("a result was not kept")
	}
	for _, c := range []struct {
		what  string
		event resources.Event
		want  []string
	}{
		{"an absence ends", put("a", ""), []string{"a"}},
		{"an index answers otherwise", put("x", "b"), []string{"b"}},
		{"something nobody read", put("y", ""), nil},
	} {
		read("a")
		read("b")
		stale := memo.Invalidate(set.Apply([]resources.Event{c.event}))
		slices.Sort(stale)
		if !slices.Equal(slices.Compact(stale), c.want) {
			t.Errorf("%s: %v is stale, want %v", c.what, stale, c.want)
		}
	}
	memo.Forget("b")
	if memo.Len() > 1 {
		t.Errorf("%d results are kept", memo.Len())
	}
}

// What an inner computation read, the outer one depends on.
func TestMemoWithin(t *testing.T) {
	set := newSet()
	set.SetPending(resources.Secret, true)
	inner, outer := resources.NewMemo[string, bool](), resources.NewMemo[string, bool]()
	pending := false
	compute := func() bool {
		return outer.Do(set, "outer", func(v *resources.View) bool {
			got := inner.Within(v, "inner", func(v *resources.View) bool {
				v.Get(resources.Key{Kind: resources.Secret, Name: "s"})
				_, state := v.Get(key("a"))
				return state == resources.Present
			})
			pending = v.Pending()
			return got
		})
	}
	if compute() || !pending {
		t.Error("what the inner computation awaits, the outer one does not")
	}
	facts := set.Apply([]resources.Event{put("a", "")})
	inner.Invalidate(facts)
	if stale := outer.Invalidate(facts); !slices.Equal(stale, []string{"outer"}) {
		t.Errorf("%v is stale", stale)
	}
	if !compute() {
		t.Error("the old result was kept")
	}
}
