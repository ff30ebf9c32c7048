// Package unbound says why a port could not be bound, in the words that conditions of
// a Gateway have whichever proxy it was. It must not bind anything.
package unbound
