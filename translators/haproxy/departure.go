package haproxy

import (
	"fmt"
	"slices"

	"github.com/sluice-gateway/sluice/ir/order"
)

const (
	// varLeaving is true in a process that is about to end.
	varLeaving = "proc.leaving"
	// varText is the text of an answer of 400.
	varText = "txn.text"
)

// Leave is a command for AdminSocket. From then on each answer of HTTP/1.1 asks its
// client to make a new connection, while new ones are still let in. It is forgotten by
// a reload. HAProxy asks clients of HTTP/2 and HTTP/3 when it stops, and no sooner.
const Leave = "experimental-mode on; set var " + varLeaving + " bool(true)"

// departure is what every response meets on its way out: fields of the backend's
// connection end here, the proxy's own answers to calls of gRPC become gRPC's.
func (c *Config) departure(*order.Port) []string {
	return slices.Concat(
		[]string{
			"http-response del-header keep-alive",
			"http-response lua.tidy if { res.hdr_names -m reg '(?:^|,)(?:connection|proxy|http2-settings|sluice-)|[_.]' }",
		},
		statusesOfGRPC(),
		[]string{"http-after-response set-header connection close if { var(" + varLeaving + ") -m bool } !{ status 101 }"},
	)
}

// statusesOfGRPC finishes answers of the proxy's own that have a gRPC status: no time
// until the answer of a backend tells them from those.
func statusesOfGRPC() []string {
	own := " if { var(" + varGRPC + ") -m bool } { res.timer.hdr lt 0 } { res.hdr(grpc-status) -m found }"
	return []string{
		"http-after-response set-header content-type application/grpc" + own,
		"http-after-response set-status 200" + own,
	}
}

// errorReplies are the answers of HAProxy's own, where it meets with what no rule speaks of.
// It escapes line ends in texts that depend on a request.
func errorReplies() []string {
	var lines []string
	for _, status := range []int{400, 408, 413, 500, 501, 502, 503, 504} {
		text := texts[status]
		body := ofGRPC("", text)
		if status == badRequest {
			// It stands for others where a filter has failed.
			body = fmt.Sprintf(`"%%[var(%s,%s)]"`, varText, text)
		}
		lines = append(lines, fmt.Sprintf(
			"http-error status %d content-type %s lf-string %s hdr x-content-type-options %s hdr grpc-status %s hdr grpc-message %s",
			status, quote("text/plain; charset=utf-8"), body, ofGRPC("", "nosniff"),
			ofGRPC(fmt.Sprint(statusOfGRPC(status)), ""), ofGRPC(text, ""),
		))
	}
	return lines
}

// ofGRPC is one of two texts: for calls of gRPC, and for all others.
func ofGRPC(call, other string) string {
	return fmt.Sprintf(`"%%[var(%s,0),bool,iif('%s','%s')]"`, varGRPC, call, other)
}

// statusOfGRPC is what stands for an HTTP status ("HTTP to gRPC Status Code Mapping"
// of the gRPC project).
func statusOfGRPC(status int) int {
	const (
		unknown          = 2
		permissionDenied = 7
		unimplemented    = 12
		internal         = 13
		unavailable      = 14
		unauthenticated  = 16
	)
	switch status {
	case 400:
		return internal
	case 401:
		return unauthenticated
	case 403:
		return permissionDenied
	case 404:
		return unimplemented
	case 429, 502, 503, 504:
		return unavailable
	default:
		return unknown
	}
}
