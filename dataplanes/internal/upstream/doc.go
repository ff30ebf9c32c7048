// Package upstream carries requests to backends: one pool for each
// Service:port and protocol, each request to the endpoint that the backend's
// balancing chooses among those in use, tried again elsewhere where that is safe.
//
// A pool lives as long as its backend's definition; its endpoints are swapped
// under it without touching a request under way. The package speaks
// exchange.Request and exchange.Response, and must not know what a rule is
// beyond what a Call says, nor choose between backends.
package upstream
