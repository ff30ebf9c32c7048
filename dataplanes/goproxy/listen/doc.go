// Package listen owns the sockets of the Go proxy: which addresses are bound,
// how a client's TLS handshake is met, and how many connections a port takes.
//
// A socket outlives the tables: what is asked of a port is read anew for each
// connection, so a change of listeners or certificates touches neither the
// sockets nor the connections that stay. It must not know what is said on a
// connection, and nothing about routes.
package listen
