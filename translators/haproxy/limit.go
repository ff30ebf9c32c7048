package haproxy

import (
	"fmt"

	"github.com/sluice-gateway/sluice/ir"
)

// requestsTable counts the requests that are under way, of all ports together, under
// one key.
const requestsTable = "requests"

// boundedRequests turns requests away while too many are under way. The first rule
// asks, the second counts, so that those that are turned away take no place.
func (c *Config) boundedRequests() []string {
	most := c.unit.Proxy.Settings.Limits.Requests
	if most <= 0 {
		return nil
	}
	c.keep(requestsTable, ir.Origin{}, func(name string) *Section {
		return &Section{Kind: "backend", Name: name, Lines: []string{"stick-table type integer size 1 store conn_cur"}}
	})
	return []string{
		fmt.Sprintf("http-request lua.refuse 503 overloaded if { int(1),table_conn_cur(%s) ge %d }", requestsTable, most),
		"http-request track-sc2 int(1) table " + requestsTable,
	}
}

// mostTarget is how long a path with its query may be, in bytes, as for every proxy.
const mostTarget = 8 << 10

// boundedHeads refuses requests whose targets or heads are longer than they may be, or
// have too many fields; and bodies that say of themselves that they are too long.
func (c *Config) boundedHeads() []string {
	limits := &c.unit.Proxy.Settings.Limits
	lines := []string{fmt.Sprintf("http-request lua.refuse 414 long-target if { pathq,length gt %d }", mostTarget)}
	if n := limits.RequestHeaderBytes; n > 0 {
		lines = append(lines, fmt.Sprintf("http-request lua.refuse 431 long-head if { req.hdrs,length gt %d }", n))
	}
	if n := limits.RequestHeaderCount; n > 0 {
		lines = append(lines, fmt.Sprintf("http-request lua.refuse 431 too-many-fields if { req.fhdr_cnt gt %d }", n))
	}
	return append(lines, c.boundedBodies()...)
}

// boundedBodies refuses bodies that are too long: by what they say of their length,
// and by counting those that do not say it. A filter that has seen too much can but
// fail, which is 400 for HAProxy.
func (c *Config) boundedBodies() []string {
	n := c.unit.Proxy.Settings.Limits.RequestBodyBytes
	if n <= 0 {
		return nil
	}
	return []string{
		fmt.Sprintf("filter lua.limit %d %d", n, isOver),
		"http-request set-var(" + varOver + ") int(0)",
		fmt.Sprintf("http-request lua.refuse 413 body_too_large if { req.hdr_val(content-length) gt %d }", n),
		"http-after-response set-status 413 if { status 400 } { var(" + varFlag + ") -m str body_too_large }",
	}
}

const (
	// leastBuffer takes answers with large heads, in bytes.
	leastBuffer = 48 << 10
	// amply is for where requests have no limit.
	amply = 160 << 10
	// spareBuffer is kept free for what is added to a head: escapes, of which one octet
	// of a target has three, and fields.
	spareBuffer = 2*mostTarget + 8<<10
	// beyond is how much longer a request's head may be than the limit and still be told so.
	beyond = 2 << 10
	// mostFields is how many a head may have, of requests and answers alike.
	mostFields = 1024
	// keptMemory is what each thread keeps of what it has used, so that large buffers
	// cost no more than small ones.
	keptMemory = 16 << 20
)

// buffers are the bounds of a head for HAProxy itself: a little larger than what a
// request may have, so that one that is a little too long is told so. They are no
// larger, as HAProxy copies a whole buffer, and not what is in it, for each request
// that it may have to make again (retries).
func (c *Config) buffers() []string {
	limits := &c.unit.Proxy.Settings.Limits
	size := amply
	if n := limits.RequestHeaderBytes; n > 0 {
		size = max(leastBuffer, n+beyond+spareBuffer)
	}
	lines := []string{
		fmt.Sprintf("tune.bufsize %d", size),
		fmt.Sprintf("tune.maxrewrite %d", spareBuffer),
		fmt.Sprintf("tune.http.maxhdr %d", max(mostFields, 2*limits.RequestHeaderCount)),
		fmt.Sprintf("tune.memory.hot-size %d", keptMemory),
	}
	if n := limits.ConcurrentStreams; n > 0 {
		lines = append(lines,
			fmt.Sprintf("tune.h2.fe.max-concurrent-streams %d", n),
			fmt.Sprintf("tune.quic.frontend.max-streams-bidi %d", n),
		)
	}
	return lines
}
