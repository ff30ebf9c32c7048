// Package filter does what a rule's filters ask for to a request and to its
// response: header edits, redirects, rewrites, CORS, the choice of mirrors and
// external authorization; and what the proxy does to every request: forwarding
// headers, request ids and session tokens.
//
// It works on package exchange alone: it opens no connection, reads no clock
// and draws no random number. What has to be sent goes through the interface
// Asker, and the time and random numbers come in as values.
package filter
