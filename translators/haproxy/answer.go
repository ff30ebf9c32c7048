package haproxy

import (
	"fmt"
	"strconv"

	"github.com/sluice-gateway/sluice/ir"
)

// The variables of a request that sections read, which admission and lookup set.
const (
	// varHost is the host as it was looked for: lower case, without port and
	// trailing dot, addresses of IPv6 with or without their brackets.
	varHost = "txn.host"
	// varPath is the path as it was looked for, whatever rewrites make of it.
	varPath = "txn.path"
	// varGRPC is true for requests whose errors must be gRPC statuses.
	varGRPC = "txn.grpc"
	// varFlag is why the proxy itself answered, for the access log.
	varFlag = "txn.flag"
	// varTo is the row that leads a request.
	varTo = "txn.to"
)

// The statuses of the proxy's own answers.
const (
	badRequest     = 400
	notFound       = 404
	requestTimeout = 408
	tooLarge       = 413
	misdirected    = 421
	internalError  = 500
)

// texts are what clients are told beside a status: nothing of what is behind the
// proxy.
var texts = map[int]string{
	badRequest: "Bad Request", notFound: "Not Found", requestTimeout: "Request Timeout", tooLarge: "Request Entity Too Large",
	misdirected: "Misdirected Request", internalError: "Internal Server Error", 501: "Not Implemented",
	502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
}

// answer returns the name of the section that answers with a status, and makes it.
func (c *Config) answer(status int) string {
	flag := "refused_rule"
	if status == notFound {
		flag = "no_route"
	}
	return c.keep(answerName(strconv.Itoa(status)), ir.Origin{}, func(name string) *Section {
		return &Section{Kind: "backend", Name: name, Lines: says(status, flag)}
	})
}

// says answers with an error of the proxy's own.
func says(status int, flag string) []string {
	return saysIf(reply{status: status, text: texts[status], flag: flag}, "")
}

// reply is an answer of the proxy's own.
type reply struct {
	status     int
	text, flag string
}

// saysIf answers where a condition holds; an empty one always does. For gRPC the
// answer has no body: departure makes a trailers-only response of it. The text must
// need no escapes there.
func saysIf(r reply, condition string) []string {
	plain, when := "", ""
	if condition != "" {
		plain, when = " if "+condition, condition+" "
	}
	return []string{
		"http-request set-var(" + varFlag + ") str(" + r.flag + ")" + plain,
		fmt.Sprintf("http-request return status %d hdr grpc-status %d hdr grpc-message %s if %s{ var(%s) -m bool }", r.status, statusOfGRPC(r.status), format(r.text), when, varGRPC),
		fmt.Sprintf("http-request return status %d content-type %s string %s hdr x-content-type-options nosniff%s",
			r.status, quote("text/plain; charset=utf-8"), quote(r.text+"\n"), plain),
	}
}
