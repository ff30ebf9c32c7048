// Package proxies writes the configuration of each proxy that is measured, so
// that all of them do the same work: the same routes, the same fields added to
// each request, TLS 1.3 with the same cipher, an access log and metrics. It
// starts nothing.
package proxies
