package haproxy

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/sluice-gateway/sluice/ir/order"
)

const (
	// varLeaving is true in a process that is about to end.
	varLeaving = "proc.leaving"
	// varOver is isOver where a request's body is over the limit, else 0. It is there
	// where there is a limit.
	varOver = "txn.over"
	isOver  = 100
)

// Leave is a command for AdminSocket. From then on each answer of HTTP/1.1 asks its
// client to make a new connection, while new ones are still let in. It is forgotten by
// a reload. HAProxy asks clients of HTTP/2 and HTTP/3 when it stops, and no sooner.
const Leave = "experimental-mode on; set var " + varLeaving + " bool(true)"

// departure is what every response meets on its way out: fields of the backend's
// connection end here, the proxy's own answers to calls of gRPC become gRPC's.
//
// What a backend answered needs nothing of what makes the proxy's own answers whole:
// no time until the answer of a backend tells them apart.
func (c *Config) departure(p *order.Port) []string {
	return slices.Concat(
		[]string{
			"http-response lua.tidy if { res.hdr_names -m reg '(?:^|,)(?:connection|keep-alive|proxy|http2-settings|sluice-)|[_.]' }",
		},
		[]string{"http-after-response set-header connection close if { var(" + varLeaving + ") -m bool } !{ status 101 }"},
		c.announcement(p),
		[]string{"http-after-response allow unless { res.timer.hdr lt 0 }"},
		statusesOfGRPC(),
		[]string{"http-after-response set-status 408 if { status 400 } { txn.sess_term_state -m beg c }"},
	)
}

// statusesOfGRPC finishes answers of the proxy's own that have a gRPC status.
func statusesOfGRPC() []string {
	own := " if { var(" + varGRPC + ") -m bool } { res.hdr(grpc-status) -m found }"
	return []string{
		"http-after-response set-header content-type application/grpc" + own,
		"http-after-response set-status 200" + own,
	}
}

// errorReplies are the answers of HAProxy's own, where it meets with what no rule speaks of.
// It escapes line ends in texts that depend on a request.
func (c *Config) errorReplies() []string {
	var lines []string
	for _, status := range []int{400, 408, 413, 500, 501, 502, 503, 504} {
		text := texts[status]
		body, call := ofGRPC("", text), text
		if status == badRequest {
			body, call = c.textOfBadRequest(), ""
		}
		lines = append(lines, fmt.Sprintf(
			"http-error status %d content-type %s lf-string %s hdr x-content-type-options %s hdr grpc-status %s hdr grpc-message %s",
			status, quote("text/plain; charset=utf-8"), body, ofGRPC("", "nosniff"),
			ofGRPC(statusOf(call, status), ""), ofGRPC(call, ""),
		))
	}
	return lines
}

// textOfBadRequest is what 400 of HAProxy's own says. It stands for 408 too, where the
// client stalls: the state at its end begins with a "c", and else with a "P"; and for
// 413, where a filter has failed at a body (varOver). Converters whose arguments
// HAProxy reads late, such as regsub, would end the process here.
func (c *Config) textOfBadRequest() string {
	over := ""
	if c.unit.Proxy.Settings.Limits.RequestBodyBytes > 0 {
		over = ",add(" + varOver + ")"
	}
	said := func(code int, text string) string {
		return fmt.Sprintf("%%[txn.sess_term_state,bytes(0,1),be2dec(,1)%s,sub(%d),bool,iif('','%s')]", over, code, text)
	}
	return `"` + said('c', texts[requestTimeout]) + said('P', texts[badRequest]) + said('P'+isOver, texts[tooLarge]) + `"`
}

// ofGRPC is one of two texts: for calls of gRPC, and for all others.
func ofGRPC(call, other string) string {
	return fmt.Sprintf(`"%%[var(%s,0),bool,iif('%s','%s')]"`, varGRPC, call, other)
}

// statusOf is the status of a call that is answered with a text; none without.
func statusOf(text string, status int) string {
	if text == "" {
		return ""
	}
	return strconv.Itoa(statusOfGRPC(status))
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
