// Package live holds the promises that only a running program can keep: that
// editing a directory under load loses no request, and that a bad object costs
// nobody but its author. The program is the real one, a child process; the
// clients are real ones on loopback, bounded in count and time.
package live
