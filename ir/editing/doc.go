// Package editing says what the filters of a rule may write: names and values of
// fields, hosts and paths, so that nothing of them can be read as another part of
// a message. Every proxy holds edits to it before it takes them.
//
// It checks and normalises; it changes no message.
package editing
