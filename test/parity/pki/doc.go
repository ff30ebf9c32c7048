// Package pki makes certificates while a test runs, so that none in the tree
// can expire. It must not be used outside of tests: keys are kept in memory and
// live for a day.
package pki
