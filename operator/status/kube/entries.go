package kube

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// entry is one element of a route's parents or of a policy's ancestors.
type entry struct {
	ref        gatewayv1.ParentReference
	controller gatewayv1.GatewayController
	conditions []metav1.Condition
}

// edit is one change of a list: entries are replaced first, then removed, then
// added.
type edit struct {
	replace map[int]entry
	// remove are indexes, ascending.
	remove []int
	add    []entry
	// left are entries of ours for which the list has no room.
	left int
}

func (e *edit) empty() bool { return len(e.replace)+len(e.remove)+len(e.add) == 0 }

// list is a status list as the server has it, and what it should be.
type list struct {
	have, want []entry
	ours       func(gatewayv1.GatewayController) bool
	// whole is true where want is all that there is to say: entries of ours that
	// it does not have go.
	whole bool
	// most is how many entries the CRD takes.
	most int
	now  metav1.Time
}

// edit returns what makes the list right. Entries of others stay as they are,
// and where they are.
func (l *list) edit() edit {
	e := edit{replace: map[int]entry{}}
	placed := make([]bool, len(l.want))
	for i := range l.have {
		old := &l.have[i]
		if !l.ours(old.controller) {
			continue
		}
		at := l.match(old, placed)
		if at < 0 {
			if l.whole {
				e.remove = append(e.remove, i)
			}
			continue
		}
		placed[at] = true
		next := l.want[at]
		if next.conditions = dated(next.conditions, old.conditions, l.now); !alike(next.conditions, old.conditions, false) {
			next.ref = old.ref
			e.replace[i] = next
		}
	}
	room := l.most - len(l.have) + len(e.remove)
	for i, done := range placed {
		switch {
		case done:
		case len(e.add) < room:
			next := l.want[i]
			next.conditions = dated(next.conditions, nil, l.now)
			e.add = append(e.add, next)
		default:
			e.left++
		}
	}
	return e
}

// match finds the entry that is wanted in an old one's place; -1 where none is.
func (l *list) match(old *entry, placed []bool) int {
	for i := range l.want {
		if w := &l.want[i]; !placed[i] && w.controller == old.controller && sameRef(&w.ref, &old.ref) {
			return i
		}
	}
	return -1
}

// sameRef compares references as the API server stores them: with the defaults
// of group and kind filled in.
func sameRef(a, b *gatewayv1.ParentReference) bool {
	return a.Name == b.Name &&
		orDefault(a.Group, gatewayv1.GroupName) == orDefault(b.Group, gatewayv1.GroupName) &&
		orDefault(a.Kind, "Gateway") == orDefault(b.Kind, "Gateway") &&
		orDefault(a.Namespace, "") == orDefault(b.Namespace, "") &&
		orDefault(a.SectionName, "") == orDefault(b.SectionName, "") &&
		orDefault(a.Port, 0) == orDefault(b.Port, 0)
}

func orDefault[T any](p *T, absent T) T {
	if p == nil {
		return absent
	}
	return *p
}

func parentsOf(s *gatewayv1.RouteStatus) []entry {
	if s == nil {
		return nil
	}
	out := make([]entry, len(s.Parents))
	for i := range s.Parents {
		p := &s.Parents[i]
		out[i] = entry{p.ParentRef, p.ControllerName, p.Conditions}
	}
	return out
}

func ancestorsOf(s *gatewayv1.PolicyStatus) []entry {
	if s == nil {
		return nil
	}
	out := make([]entry, len(s.Ancestors))
	for i := range s.Ancestors {
		a := &s.Ancestors[i]
		out[i] = entry{a.AncestorRef, a.ControllerName, a.Conditions}
	}
	return out
}

func (e *entry) parent() any {
	return gatewayv1.RouteParentStatus{ParentRef: e.ref, ControllerName: e.controller, Conditions: e.conditions}
}

func (e *entry) ancestor() any {
	return gatewayv1.PolicyAncestorStatus{AncestorRef: e.ref, ControllerName: e.controller, Conditions: e.conditions}
}
