package kube

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-gateway/sluice/operator/findings"
)

// programmed is the condition that a proxy decides.
const programmed = "Programmed"

// spoken are the types of conditions that Sluice speaks of. Others belong to
// somebody else, also on an object of ours.
var spoken = func() map[string]bool {
	types := map[string]bool{programmed: true}
	for _, row := range findings.Table() {
		for _, e := range row.Effects {
			types[e.Condition] = true
		}
	}
	return types
}()

// dated returns conditions with the times of those that are there, where the
// status is the same: lastTransitionTime is when the status last changed.
func dated(want, have []metav1.Condition, now metav1.Time) []metav1.Condition {
	out := slices.Clone(want)
	for i := range out {
		out[i].LastTransitionTime = now
		if old := find(have, out[i].Type); old != nil && old.Status == out[i].Status && !old.LastTransitionTime.IsZero() {
			out[i].LastTransitionTime = old.LastTransitionTime
		}
	}
	return out
}

func find(list []metav1.Condition, name string) *metav1.Condition {
	for i := range list {
		if list[i].Type == name {
			return &list[i]
		}
	}
	return nil
}

// alike reports whether two lists say the same, in whatever order, and since the
// same times. With foreign, conditions that Sluice does not speak of do not
// matter.
func alike(want, have []metav1.Condition, foreign bool) bool {
	matched := 0
	for i := range have {
		if foreign && !spoken[have[i].Type] {
			continue
		}
		w := find(want, have[i].Type)
		if w == nil || !same(w, &have[i]) {
			return false
		}
		matched++
	}
	return matched == len(want)
}

func same(a, b *metav1.Condition) bool {
	return a.Status == b.Status && a.Reason == b.Reason && a.Message == b.Message && a.ObservedGeneration == b.ObservedGeneration &&
		a.LastTransitionTime.Equal(&b.LastTransitionTime)
}

// newer reports whether a list was written by somebody who has seen a later
// generation.
func newer(list []metav1.Condition, generation int64) bool {
	return slices.ContainsFunc(list, func(c metav1.Condition) bool { return c.ObservedGeneration > generation })
}
