// Package order computes from an ir.Proxy which match wins: the one place that
// implements the precedence of listeners, hostnames and matches, for every
// translator and for explain.
package order
