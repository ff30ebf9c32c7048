// Package dir reads Kubernetes objects from a directory of YAML and JSON files
// and watches it.
//
// Each object is checked and defaulted as an API server would (package schema).
// What an edit breaks keeps its last good state, and a Problem names the file,
// the line and the field; one bad document costs no other document anything,
// not even in the same file. A document that cannot be read at all does not say
// which object it holds: then no object of its file is taken away.
//
// What an API server would add is added here. An object without a namespace is
// in "default"; a Namespace that has no file exists; metadata.generation grows
// when anything but metadata changes. An object that gives no
// metadata.creationTimestamp has none, so that objects without one are ordered
// by namespace and name (the next rule of Gateway API): unlike the order of
// files or of edits, it is the same after every edit and every restart.
//
// Additions and changes are handed over as soon as they are seen. What would
// remove an object, or report an error, waits until two readings a moment apart
// agree: an editor that truncates a file and then writes it must not cut
// traffic.
//
// The package knows no rule of Gateway API.
package dir
