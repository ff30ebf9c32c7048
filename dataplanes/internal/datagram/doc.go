// Package datagram carries datagrams between clients and endpoints: a session
// for each client's address and port, which keeps to one endpoint and sees its
// replies, until nothing has come from either side for a while.
//
// Sessions are bounded, as anybody can write any sender into a datagram. The
// package must not choose endpoints, and must not look at what is sent.
package datagram
