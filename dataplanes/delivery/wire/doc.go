// Package wire is what travels between the operator and a pod: messages, the
// parts of a unit by their sums, and a manifest that says which parts make the
// unit and in which order.
//
// What is read is read strictly, and every length is bounded before memory is
// taken. Parts carry private keys, so nothing here prints a part's content, and a
// frame is written to a connection of TLS alone: that is its callers' to see to.
// The package opens no connection and keeps nothing.
package wire
