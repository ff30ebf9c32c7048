// Package wire speaks HTTP with clients: it finds out which version a connection
// speaks, by ALPN or by what it says first, and gives it to the codec of that
// version, wire/h1 or wire/h2.
//
// Everything doubtful stops in the codecs, at the door: paths that two readers
// could read differently, hop-by-hop fields, lengths and limits. What they share
// is in wire/field and wire/rawconn; what comes after them knows no version of
// HTTP but by its number. It must not know about routes or backends.
package wire
