// Package apiserver runs the operator as a process of this machine against a
// real API server without nodes: `make e2e` boots one for it. It is about which
// kinds of Gateway API a cluster has, so it removes them all first. It must not
// be pointed at a cluster that somebody needs.
package apiserver
