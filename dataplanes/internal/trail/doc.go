// Package trail knows requests again that a unit has sent itself. It must not decide
// what becomes of them.
package trail
