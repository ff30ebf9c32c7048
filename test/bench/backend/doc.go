// Package backend is what the proxies of a benchmark lead to: the same few
// bytes for every request, for as little time as can be, so that the proxy is
// what is measured. It trusts its peers, reads no more of a request than it
// must, and is of no use as a server otherwise.
package backend
