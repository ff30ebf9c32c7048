// Package reverseproxy is the proxy that the standard library has, tuned as far
// as its settings go, and with an access log and metrics: what a Go program
// costs that does nothing clever. It is measured and not used.
package reverseproxy
