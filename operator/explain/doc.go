// Package explain says which listener, route, rule, match and backends would
// serve a request, and why everything that came close does not.
//
// It is pure and decides nothing itself: which match wins is for ir/order to
// say, and how a path reads for ir/requestpath, as in every proxy.
package explain
