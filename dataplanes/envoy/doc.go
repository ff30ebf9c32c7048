// Package envoy serves units with Envoy. Each owner has a process of its own, which
// takes its resources from here over a socket in a directory that is private to
// the user.
//
// It says what is sent when, what Envoy made of it, and what becomes of what Envoy
// refuses. What the resources say is package translators/envoy's.
package envoy
