// Package units lets a proxy serve its units side by side, each with a process of its
// own: they begin, are put in force, fall and are started again, tell what became of
// them, and come to their end here.
//
// It must not know which proxy it is, how it is told what to do, or what a unit holds.
package units
