// Package resources holds the Kubernetes objects that Sluice has read, and
// remembers who read what.
//
// A Set keeps objects and indexes. A View is the only way to read a Set: it
// records every key, absence and index query that was read, so that a later
// change touches exactly the work that depends on it. A Memo keeps results for
// as long as nothing that they read has changed.
//
// The package knows no rule of Gateway API and must not: it holds objects.
package resources
