// Package audit reads the API server's audit log: who asked for what, and what
// came of it. A log that is being written is read up to its last whole line. It
// must not change the log.
package audit
