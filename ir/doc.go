// Package ir is the neutral model between the front ends that read Kubernetes
// objects and the translators that write what one proxy reads.
//
// It is plain, documented data: it imports the standard library only, names no
// Kubernetes type and no proxy's type, and decides nothing. What is computed
// from it lives below it: ir/hash, ir/feature and ir/order.
//
// A value of this package is immutable once a front end has handed it over.
// Parts are shared by pointer between one translation and the next, so two
// equal pointers mean that nothing has changed.
package ir
