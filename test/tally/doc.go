// Command tally runs `go test` with its arguments and prints what that would
// have printed, and at the end how many tests were skipped for want of a program
// that was not there: those that were skipped with a message that begins with
// "skipped for want of X". Results that go test took from its cache count too.
//
// With -to FILE as its first arguments it writes a line for each of them to the
// end of FILE, so that several runs can be counted together: `tally -sum FILE`.
//
// It never fails because a test was skipped; its exit code is that of go test.
package main
