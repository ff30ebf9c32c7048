// Package h1 is the Go proxy's HTTP/1.1: it reads and writes messages, and it
// runs connections with clients and with backends.
//
// It is strict as RFC 9112 lets a server be, and stricter where the RFC leaves
// two readings: a message whose framing is in any doubt is refused and its
// connection closed, on both sides. Each refusal is an Error with the status to
// answer and a reason from a fixed list.
//
// Heads are parsed in place. Every string of an exchange.Request or
// exchange.Response that this package hands out lies in a pooled buffer and is
// valid until the exchange ends: for a request until its handler has returned
// and the answer was written, for a response until its Body was closed. What
// outlives that (a mirrored request, a header of another exchange) must be cloned:
// see exchange.Request.Detach.
//
// It must not look requests up, filter them, or choose a backend, and it knows
// no other version of HTTP.
package h1
