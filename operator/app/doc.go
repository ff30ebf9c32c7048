// Package app is the command line: one file for each command, flags and wiring
// and no more. builtin.go is the one list of front ends and dataplanes.
package app
