package haproxy

import (
	"slices"
	"strconv"
	"time"
)

// The sockets that HAProxy makes in its folder, for its parent alone.
const (
	// AdminSocket takes the commands of the runtime API.
	AdminSocket = "admin.sock"
	// MasterSocket is the master process's: it takes "reload".
	MasterSocket = "master.sock"
)

func (c *Config) global() *Section {
	lines := []string{
		"stats socket unix@" + AdminSocket + " mode 600 level admin expose-fd listeners",
		"expose-experimental-directives",
		"limited-quic",
		"lua-load-per-thread " + admitScript,
		"lua-load-per-thread " + decideScript,
		"lua-load-per-thread " + sessionFile,
		"lua-load " + serversFile,
		"lua-load-per-thread " + streamScript,
		// What is cached is found again by every listener of a socket. Tickets do without.
		"tune.ssl.cachesize 0",
	}
	if n := c.target.Threads; n > 0 {
		lines = append(lines, "nbthread "+strconv.Itoa(n))
	}
	if drain := c.unit.Proxy.Settings.Timeouts.Drain; drain > 0 {
		lines = append(lines, "hard-stop-after "+milliseconds(time.Duration(drain)))
	}
	return &Section{Kind: "global", Lines: append(lines, c.buffers()...)}
}

func (c *Config) defaults() *Section {
	return &Section{Kind: "defaults", Lines: slices.Concat(
		[]string{"mode http"}, c.waits(), unbounded(), reconnects(), c.errorReplies(),
	)}
}

// waits are how long clients and connections with backends are waited for.
func (c *Config) waits() []string {
	t := &c.unit.Proxy.Settings.Timeouts
	return []string{
		"timeout connect " + milliseconds(time.Duration(t.Connect)),
		"timeout client " + milliseconds(time.Duration(t.Stall)),
		"timeout http-request " + milliseconds(time.Duration(t.RequestHeader)),
		"timeout http-keep-alive " + milliseconds(time.Duration(t.Idle)),
		// A client that sends nothing is told nothing.
		"option http-ignore-probes",
		// Nobody waits for an answer to a client that has gone.
		"option abortonclose",
	}
}
