// Package editing says what the filters of a rule may write: names and values of
// fields, hosts, paths, redirects and the marks of CORS, so that nothing of them can
// be read as another part of a message. Every proxy holds filters to it, and takes
// them in the order that is said here.
//
// It checks and normalises; it changes no message.
package editing
