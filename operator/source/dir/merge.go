package dir

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source/dir/schema"
)

// held is an object in force and where it was read.
type held struct {
	document *document
	object   resources.Object
	path     string
	line     int
}

func (h *held) place(at position) Place {
	return Place{File: h.path, Line: h.line + at.line, Column: at.column}
}

// state is all that is in force.
type state map[resources.Key]*held

// found is a document at its place.
type found struct {
	*document
	path string
	line int
}

func (f found) place(at position) Place {
	return Place{File: f.path, Line: f.line + at.line, Column: at.column}
}

// reading is the documents of all files, in the order of their paths.
type reading struct {
	documents []found
	// unsure are the files of which an object could not be told: nothing of
	// theirs is taken away.
	unsure map[string]bool
	// unread are the paths of files and directories that could not be read: they
	// still hold what they held, and so does everything below them.
	unread   map[string]bool
	problems []Problem
}

// miss notes what could not be read.
func (r *reading) miss(f file) {
	switch {
	case f.err == nil:
	case f.note:
		r.problems = append(r.problems, Problem{Place: Place{File: f.path}, Message: "is not read: " + f.err.Error(), Note: true})
	default:
		r.unread[f.path] = true
		r.problems = append(r.problems, Problem{Place: Place{File: f.path}, Message: "cannot be read: " + f.err.Error()})
	}
}

// hidden reports whether a file, or a directory that it is in, could not be read.
func (r *reading) hidden(path string) bool {
	for len(r.unread) > 0 {
		if r.unread[path] {
			return true
		}
		above := filepath.Dir(path)
		if above == path {
			break
		}
		path = above
	}
	return false
}

func (r *reading) add(f found) {
	r.documents = append(r.documents, f)
	if !f.identified() && !f.skipped {
		r.unsure[f.path] = true
	}
}

// merge lays a reading over what was in force.
func merge(before state, r *reading) (state, []Problem) {
	m := merger{reading: r, before: before, after: state{}, claimed: map[resources.Key]found{}, problems: slices.Clone(r.problems)}
	for _, f := range r.documents {
		m.claim(f)
	}
	for _, f := range r.documents {
		m.take(f)
	}
	for key, h := range before {
		if _, there := m.after[key]; !there && (r.unsure[h.path] || r.hidden(h.path)) {
			m.after[key] = h
		}
	}
	return m.after, m.problems
}

type merger struct {
	reading       *reading
	before, after state
	claimed       map[resources.Key]found
	problems      []Problem
}

// claim decides which of several documents of one object counts: the one from
// the file that the object in force came from, else the first.
func (m *merger) claim(f found) {
	if !f.identified() || f.skipped || m.elsewhere(f) {
		return
	}
	first, taken := m.claimed[f.key]
	if !taken || m.home(f) && !m.home(first) {
		m.claimed[f.key] = f
	}
}

func (m *merger) home(f found) bool {
	h := m.before[f.key]
	return h != nil && h.path == f.path
}

// elsewhere reports whether an object's file cannot be read now: another file
// that defines it too does not take it over for that.
func (m *merger) elsewhere(f found) bool {
	h := m.before[f.key]
	return h != nil && h.path != f.path && m.reading.hidden(h.path)
}

func (m *merger) take(f found) {
	switch {
	case f.skipped:
		m.note(f)
		return
	case f.identified() && m.claimed[f.key] != f:
		m.duplicate(f)
		return
	}
	h := m.before[f.key]
	if len(f.faults) > 0 {
		if h != nil && f.identified() {
			m.after[f.key] = h
		}
		m.blame(f, f.identified() && h != nil || !f.identified() && m.heldAny(f.path))
		return
	}
	m.after[f.key] = &held{document: f.document, object: m.object(f, h), path: f.path, line: f.line}
}

// object gives a new object its generation; one that did not change stays the
// same pointer.
func (m *merger) object(f found, h *held) resources.Object {
	if h != nil && h.document == f.document {
		return h.object
	}
	obj := clone(f.object)
	obj.SetGeneration(1)
	if h == nil {
		return obj
	}
	obj.SetGeneration(h.object.GetGeneration())
	if reflect.DeepEqual(h.object, obj) {
		return h.object
	}
	if !sameSpec(h.object, obj) {
		obj.SetGeneration(h.object.GetGeneration() + 1)
	}
	return obj
}

// sameSpec compares all but metadata, as an API server does.
func sameSpec(a, b resources.Object) bool {
	a, b = clone(a), clone(b)
	for _, o := range []resources.Object{a, b} {
		reflect.ValueOf(o).Elem().FieldByName("ObjectMeta").Set(reflect.ValueOf(metav1.ObjectMeta{}))
	}
	return reflect.DeepEqual(a, b)
}

func clone(obj resources.Object) resources.Object {
	return obj.(runtime.Object).DeepCopyObject().(resources.Object)
}

// heldAny reports whether objects in force came from a file.
func (m *merger) heldAny(path string) bool {
	for _, h := range m.before {
		if h.path == path {
			return true
		}
	}
	return false
}

func (m *merger) blame(f found, kept bool) {
	for _, e := range f.faults {
		m.problems = append(m.problems, Problem{Place: f.place(e.position), Object: f.key, Field: e.field, Message: e.message, Kept: kept})
	}
}

func (m *merger) duplicate(f found) {
	var at Place
	if first := m.claimed[f.key]; first.document != nil {
		at = first.place(first.start)
	} else {
		h := m.before[f.key]
		at = h.place(h.document.start)
	}
	m.problems = append(m.problems, Problem{
		Place: f.place(f.start), Object: f.key,
		Message: fmt.Sprintf("is already defined at %s, which stays in force: remove or rename one of the two", at),
	})
}

func (m *merger) note(f found) {
	message := "is skipped: Sluice does not read objects of this kind"
	if f.key.Kind == "Ingress" {
		message = "is not read yet, so nothing serves it: write a Gateway and an HTTPRoute, as in examples/quickstart"
	}
	m.problems = append(m.problems, Problem{Place: f.place(f.start), Object: f.key, Note: true, Message: message})
}

// withNamespaces adds the Namespaces that objects are in and no file defines.
func withNamespaces(objects map[resources.Key]resources.Object) {
	names := map[string]bool{metav1.NamespaceDefault: true}
	for key := range objects {
		if key.Namespace != "" {
			names[key.Namespace] = true
		}
	}
	for name := range names {
		key := resources.Key{Kind: "Namespace", Name: name}
		if _, ok := objects[key]; ok {
			continue
		}
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 1}}
		ns.APIVersion, ns.Kind = "v1", "Namespace"
		schema.NameNamespace(ns)
		objects[key] = ns
	}
}

// difference is the events that lead from one set of objects to another, in the
// order of their keys.
func difference(before, after map[resources.Key]resources.Object) []resources.Event {
	var events []resources.Event
	for key := range before {
		if _, stays := after[key]; !stays {
			events = append(events, resources.Event{Key: key})
		}
	}
	for key, obj := range after {
		if old, was := before[key]; !was || old != obj && !reflect.DeepEqual(old, obj) {
			events = append(events, resources.Event{Key: key, Object: obj})
		}
	}
	slices.SortFunc(events, func(a, b resources.Event) int { return a.Key.Compare(b.Key) })
	return events
}

func keep(before, after state) {
	for key, h := range before {
		if _, stays := after[key]; !stays {
			after[key] = h
		}
	}
}
