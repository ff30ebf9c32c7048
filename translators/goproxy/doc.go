// Package goproxy writes a unit as the plain data that the built-in Go proxy
// compiles: listeners by port, hosts by listener, and for each host its matches
// in the order in which they win.
//
// It is pure, and it marshals without secrets. It compiles nothing and decides
// nothing: precedence is package order's, and what a value means is the table's.
package goproxy
