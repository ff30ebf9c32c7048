// Package findings turns facts about objects into the conditions of Gateway API.
//
// A front end states facts (Finding: a code, a field, a message); the table in
// this package says which condition a code turns, to what, for which reason, and
// which of several facts is the worst. Derive is the only maker of a
// metav1.Condition in Sluice: conditions start in their healthy form and the
// worst finding of each kind turns them.
//
// The package reads no object and writes no status.
package findings
