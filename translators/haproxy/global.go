package haproxy

import "slices"

// The sockets that HAProxy makes in its folder, for its parent alone.
const (
	// AdminSocket takes the commands of the runtime API.
	AdminSocket = "admin.sock"
	// MasterSocket is the master process's: it takes "reload".
	MasterSocket = "master.sock"
)

func (c *Config) global() *Section {
	return &Section{Kind: "global", Lines: []string{
		"stats socket unix@" + AdminSocket + " mode 600 level admin expose-fd listeners",
		"expose-experimental-directives",
		"limited-quic",
		"lua-load-per-thread " + decideScript,
		"lua-load-per-thread " + sessionFile,
		"lua-load-per-thread " + streamScript,
		// What is cached is found again by every listener of a socket. Tickets do without.
		"tune.ssl.cachesize 0",
	}}
}

func (c *Config) defaults() *Section {
	return &Section{Kind: "defaults", Lines: slices.Concat([]string{
		"mode http",
		"timeout connect 5s",
		"timeout client 60s",
		// Nobody waits for an answer to a client that has gone.
		"option abortonclose",
	}, unbounded(), reconnects())}
}
