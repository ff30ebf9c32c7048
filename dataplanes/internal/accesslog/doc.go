// Package accesslog writes one JSON object a request. Lines are written by a
// goroutine of its own: a slow reader of the log costs lines, which are
// counted, and never a request's time. It must not decide what is logged.
package accesslog
