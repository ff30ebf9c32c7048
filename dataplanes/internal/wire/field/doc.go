// Package field has the rules about names, values and authorities that every
// version of HTTP shares at the door: what a name means to a proxy, which octets
// may stand where, and what a host is.
//
// It decides about single fields and must not know framing or connections.
package field
