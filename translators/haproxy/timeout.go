package haproxy

import (
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// never is as long as HAProxy's timers can wait.
const never = 24 * 24 * time.Hour

// timeouts bound what a rule's requests wait for. HAProxy knows no bound of a whole
// exchange: what bounds it here is the longest silence of the backend, and the time
// in which a body must have come.
func (c *Config) timeouts(rule *ir.Rule) []string {
	whole, try := c.bound(rule), time.Duration(rule.Timeouts.BackendRequest)
	if try <= 0 || whole > 0 && whole < try {
		try = whole
	}
	var lines []string
	if try > 0 {
		lines = append(lines, "timeout server "+milliseconds(try))
	}
	if whole > 0 {
		lines = append(lines, "timeout tunnel "+milliseconds(whole), waitForBody(whole))
	}
	return lines
}

// unbounded are the times of rules that bound nothing, for all sections.
func unbounded() []string {
	return []string{"timeout server " + milliseconds(0), "timeout tunnel " + milliseconds(0)}
}

// bound is how long a rule's requests may take, 0 for ever.
func (c *Config) bound(rule *ir.Rule) time.Duration {
	own := rule.Timeouts.Request
	if own == 0 {
		own = c.unit.Proxy.Settings.Timeouts.Request
	}
	return time.Duration(max(0, own))
}

// waitForBody waits until a body has come, or as much of it as HAProxy keeps. One
// of unknown length may be half of a conversation, and is not waited for.
func waitForBody(bound time.Duration) string {
	return "http-request wait-for-body time " + milliseconds(bound) + " if { req.hdr(content-length) -m found } !{ req.hdr(content-length) -m str 0 }"
}

// milliseconds writes a time as HAProxy reads it; 0 is never. It rounds up: a zero
// would turn the bound off.
func milliseconds(d time.Duration) string {
	if d <= 0 || d > never {
		d = never
	}
	return strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10) + "ms"
}
