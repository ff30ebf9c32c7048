// Package status assembles what the reports of all units say about an object
// into the status that Gateway API defines for it.
//
// It is pure: sinks bring the result to a cluster or to a terminal, and fill in
// what only they know, the times of transitions and the entries of other
// controllers.
package status
