// Package peer is what stands behind the proxies in the parity suite: backends
// that say what they got, that fail in the way that a request asks for, and
// authorization servers. Each endpoint is a real server on a port of its own.
//
// A request steers an endpoint by header fields:
//
//	X-Parity-Status: 503        answer with this status
//	X-Parity-Delay: 300ms       wait before the answer
//	X-Parity-Set: Name: value   set a field of the answer (may be repeated)
//	X-Parity-Trailer: N: value  send a trailer
//	X-Parity-Size: 1000         answer with so many bytes instead of the JSON
//	X-Parity-Fail: 2 503        the first two requests of this X-Parity-Id that
//	                            reach the Service fail: with a status, or by
//	                            "close" (no answer) or "hang"
//	X-Parity-Id                 the step that the request belongs to
//
// The package knows no proxy and no Gateway API object.
package peer
