package resources_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-gateway/sluice/operator/resources"
)

const byLabel = "by-label"

func newSet() *resources.Set {
	return resources.NewSet(resources.Index{
		Name:  byLabel,
		Kinds: []resources.Kind{resources.Service},
		Values: func(_ resources.Key, obj resources.Object) []resources.Key {
			if v := obj.GetLabels()["team"]; v != "" {
				return []resources.Key{{Name: v}}
			}
			return nil
		},
	})
}

func key(name string) resources.Key {
	return resources.Key{Kind: resources.Service, Namespace: "ns", Name: name}
}

func put(name, team string) resources.Event {
	return resources.Event{Key: key(name), Object: &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, Labels: map[string]string{"team": team}},
	}}
}

func gone(name string) resources.Event { return resources.Event{Key: key(name)} }

func TestApplySaysWhatChanged(t *testing.T) {
	object := resources.Fact{Key: key("a")}
	kind := resources.Fact{Index: resources.ByKind, Key: resources.Key{Kind: resources.Service}}
	red := resources.Fact{Index: byLabel, Key: resources.Key{Name: "red"}}
	blue := resources.Fact{Index: byLabel, Key: resources.Key{Name: "blue"}}
	set := newSet()
	for _, c := range []struct {
		what  string
		event resources.Event
		want  []resources.Fact
	}{
		{"it comes", put("a", "red"), []resources.Fact{object, red, kind}},
		{"it comes again as it was", put("a", "red"), nil},
		{"it moves to another value", put("a", "blue"), []resources.Fact{object, blue, red, kind}},
		{"it goes", gone("a"), []resources.Fact{object, blue, kind}},
		{"it goes again", gone("a"), nil},
	} {
		if got := set.Apply([]resources.Event{c.event}); !slices.Equal(got, c.want) {
			t.Errorf("%s: facts %v, want %v", c.what, got, c.want)
		}
	}
}

// The order is kept up by merging; it must be the one that sorting gives.
func TestListIsOrderedWhateverHappened(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	set, members := newSet(), map[resources.Key]bool{}
	red := resources.Key{Name: "red"}
	for round := range 500 {
		for range 1 + random.IntN(1+round%40) {
			name := fmt.Sprint("s", random.IntN(120))
			if random.IntN(3) == 0 {
				set.Apply([]resources.Event{gone(name)})
				delete(members, key(name))
				continue
			}
			set.Apply([]resources.Event{put(name, "red")})
			members[key(name)] = true
		}
		var want []resources.Key
		for k := range members {
			want = append(want, k)
		}
		slices.SortFunc(want, resources.Key.Compare)
		if got := set.NewView().List(byLabel, red); !slices.Equal(got, want) {
			t.Fatalf("round %d: %v, want %v", round, got, want)
		}
	}
}

// Readers share the slice, so a change must not write into it.
func TestListIsNeverChanged(t *testing.T) {
	set := newSet()
	for i := range 20 {
		set.Apply([]resources.Event{put(fmt.Sprintf("s%02d", i), "red")})
	}
	before := set.NewView().List(byLabel, resources.Key{Name: "red"})
	kept := slices.Clone(before)
	set.Apply([]resources.Event{put("a", "red"), gone("s05")})
	set.NewView().List(byLabel, resources.Key{Name: "red"})
	if !slices.Equal(before, kept) {
		t.Error("a list changed under its reader")
	}
}

func TestPendingIsNotAbsent(t *testing.T) {
	set := newSet()
	set.SetPending(resources.Service, true)
	view := set.NewView()
	if _, state := view.Get(key("a")); state != resources.Pending || !view.Pending() {
		t.Errorf("an object of a kind that is not listed yet is %v", state)
	}
	list := set.NewView()
	list.List(byLabel, resources.Key{Name: "red"})
	if !list.Pending() {
		t.Error("an index of a kind that is not listed yet gave an answer for good")
	}
	facts := set.SetPending(resources.Service, false)
	if len(facts) != 1 || len(set.SetPending(resources.Service, false)) != 0 {
		t.Errorf("the end of pending is the facts %v", facts)
	}
	if _, state := set.NewView().Get(key("a")); state != resources.Absent {
		t.Errorf("once listed, it is %v", state)
	}
}

func TestGetOfAnotherTypeIsAbsent(t *testing.T) {
	set := newSet()
	set.Apply([]resources.Event{put("a", "")})
	if obj, state := resources.Get[*corev1.Secret](set.NewView(), key("a")); obj != nil || state != resources.Absent {
		t.Errorf("a Service read as a Secret is %v, %v", obj, state)
	}
}
