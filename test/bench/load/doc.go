// Package load puts requests on a proxy and says what came of them: wrk and
// h2load where they fit, clients of its own for datagrams and for connections
// that idle. What a client costs is not measured, only what it saw. Every load
// is bounded by a duration, and goes to loopback.
package load
