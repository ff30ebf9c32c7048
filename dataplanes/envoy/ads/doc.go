// Package ads is the server from which one Envoy takes its resources, over one
// stream, and only what has changed of them (the delta form of xDS).
//
// It sends what it is told to in the order in which it is told, and says what
// Envoy took and what it refused. What belongs together, and in which order, is
// its caller's business; it knows nothing of units.
package ads
