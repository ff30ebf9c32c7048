// Package h2 is the Go proxy's HTTP/2: it runs connections with clients and with
// backends by a frame loop of its own, over the Framer and the HPACK decoder of
// golang.org/x/net.
//
// A connection costs one goroutine, which reads. Whatever is to be sent is
// appended to one buffer under the connection's lock, by whoever has it to say,
// and goes out in one write once nothing else is ready to run: the answers of
// many streams share a system call.
//
// It is strict as RFC 9113 lets a server be: see Error for the reactions, and
// Limits for what a peer can make us hold or do for nothing.
//
// A request and its strings are valid until its handler has returned and the
// answer was written; a response until its Body was closed.
//
// It must not look requests up, filter them, or choose a backend, and it knows
// no other version of HTTP.
package h2
