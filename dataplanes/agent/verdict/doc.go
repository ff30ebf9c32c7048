// Package verdict keeps which rules and listeners of a unit a proxy has refused, and
// writes the unit without them: they keep what they match, and are answered with an
// error.
//
// It must not know which proxy it is, nor how it finds out what it refuses.
package verdict
