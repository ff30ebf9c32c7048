// Package pace judges how fast a client is while it is waited for. It must not
// measure anything itself: time and bytes come in as values.
package pace
