package record

import (
	"strings"

	haproxy "github.com/sluice-gateway/sluice/translators/haproxy"
)

// The flags of docs/metrics.md that are failures of a backend, or of the way to it:
// those are counted by kind.
const (
	noEndpoints  = "no_endpoints"
	noConnection = "connection_failure"
	timeout      = "timeout"
	broken       = "backend_reset"
	invalidTLS   = "invalid_backend_tls"
	bodyTooLarge = "body_too_large"
	clientGone   = "client_gone"
	stalled      = "client_stalled"
	cutOff       = "cut_off"
	overloaded   = "overloaded"
	noRoute      = "no_route"
	idle         = "idle"
)

var failures = map[string]bool{
	noEndpoints: true, noConnection: true, timeout: true, broken: true, invalidTLS: true, bodyTooLarge: true,
	clientGone: true, stalled: true, cutOff: true,
}

// byEnd is what HAProxy's letters for how a request ended are called here: who ended
// it, and what was waited for.
var byEnd = map[string]string{
	"CR": clientGone, "CQ": clientGone, "CC": clientGone, "CH": clientGone, "CD": clientGone, "CL": clientGone,
	"cR": "slow-head", "cQ": stalled, "cC": stalled, "cH": stalled, "cD": stalled, "cL": stalled,
	"SQ": noEndpoints, "SC": noConnection, "SH": broken, "SD": cutOff, "SL": cutOff,
	"sQ": noEndpoints, "sC": noConnection, "sH": timeout, "sD": cutOff, "sL": cutOff,
	"PR": "bad-request", "PH": broken, "PD": cutOff,
	"RC": overloaded, "RQ": overloaded, "RH": overloaded, "RD": overloaded,
	"IH": "internal", "ID": "internal", "IC": "internal", "IR": "internal",
}

// flagOf says why it was not a backend that answered, or why not to the end. What a
// rule of ours says of itself comes first.
func (l *line) flagOf() string {
	if said := l[haproxy.LogFlag]; said != "" {
		return said
	}
	flag := byEnd[l[haproxy.LogEnd]]
	return l.nearer(flag)
}

// nearer tells apart what HAProxy has one word for.
func (l *line) nearer(flag string) string {
	switch {
	case flag == noConnection && l[haproxy.LogServer] == "" && l.retries() == 0:
		return noEndpoints
	case flag == noConnection && number(l[haproxy.LogTLS]) != 0:
		return invalidTLS
	default:
		return flag
	}
}

// retries is how many tries there were after the first. HAProxy marks those that went
// to another server.
func (l *line) retries() int { return int(number(strings.TrimPrefix(l[haproxy.LogRetries], "+"))) }

// byStreamEnd is the same for streams.
var byStreamEnd = map[string]string{
	"CD": clientGone, "CC": clientGone, "CQ": clientGone, "CL": clientGone,
	"cD": idle, "sD": idle, "cL": idle, "sL": idle,
	"SC": noConnection, "sC": noConnection, "SQ": noEndpoints, "sQ": noEndpoints, "SD": broken, "SL": broken,
	"KD": "stopped", "DD": "stopped", "UD": "stopped",
	"RC": overloaded,
}

// streamFlag says why a stream got nowhere, or how it ended; empty for an ordinary
// end.
func (l *line) streamFlag(of *known) string {
	if of.Route == "" {
		return noRoute
	}
	return l.nearer(byStreamEnd[l[haproxy.LogEnd]])
}
