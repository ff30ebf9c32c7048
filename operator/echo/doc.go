// Package echo is a backend that answers who it is and what it got, over
// HTTP/1.1, HTTP/2 without TLS, gRPC and WebSocket on one port: for examples,
// for tests, and for the Services of a directory that ask for one.
//
// It serves whatever it is asked and must not be reachable from outside of the
// machine or cluster that it is tried on.
package echo
