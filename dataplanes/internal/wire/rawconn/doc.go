// Package rawconn is a connection of the Go proxy's with a client or a backend,
// below whatever version of HTTP is spoken on it. Where the platform lets it, it
// makes its system calls itself, which is most of what a request costs; where it
// does not, it goes through package net.
//
// It moves octets and bounds how long that takes. It must not know what they
// mean.
package rawconn
