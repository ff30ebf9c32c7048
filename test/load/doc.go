// Package load has the clients that every promise about changes is held to: new
// connections, kept ones, HTTP/2, HTTP/3, and one that retries nothing; calls and
// streams of gRPC, and WebSockets. They send one request after the other, at a
// pace, and count what fails. It must not
// retry, and must not know what is being changed meanwhile.
package load
