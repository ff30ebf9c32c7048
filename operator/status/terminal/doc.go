// Package terminal shows the status of every object to the person in front of a
// terminal: all of it at the start, and then what changed.
//
// A healthy object is one line; one that is not says which condition turned, for
// which reason, where in which file, and what would be right. The package judges
// nothing: conditions come from package findings.
package terminal
