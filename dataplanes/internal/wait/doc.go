// Package wait is for tests of proxies: they wait for a condition, and never for
// a time. Nothing but tests imports it.
package wait
