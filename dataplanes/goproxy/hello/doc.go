// Package hello reads a TLS client's first message as far as its server name,
// so that a connection can be passed on whole to the backend of that name.
//
// It reads what crypto/tls reads and refuses what crypto/tls refuses in the same
// places: a name that two readers saw differently would lead around a listener
// (a fuzz test holds the two together). It must not answer, and must not hold
// more than its bound of a client that has said nothing yet.
package hello
