package haproxy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// mostConnects bounds how many more endpoints a request looks for a connection at,
// where its rule says nothing of retries.
const mostConnects = 3

// mostAttempts bounds attempts, of which HAProxy counts so many.
const mostAttempts = 10_000

// retriable are the statuses that HAProxy tries again.
var retriable = []int{401, 403, 404, 408, 425, 429, 500, 501, 502, 503, 504}

// objectionToRetry is nil where HAProxy can do what is asked.
func objectionToRetry(r *ir.Retry) error {
	if r == nil {
		return nil
	}
	for _, code := range r.Codes {
		if !slices.Contains(retriable, code) {
			return fmt.Errorf("retry.codes: HAProxy cannot retry status %d; it can %s", code, listed(retriable, ", "))
		}
	}
	return nil
}

func listed(numbers []int, by string) string {
	var texts []string
	for _, n := range numbers {
		texts = append(texts, strconv.Itoa(n))
	}
	return strings.Join(texts, by)
}

// reconnects are the directives of all sections that have a request go to another
// endpoint where no connection could be made, whatever its method, so that an
// endpoint that goes away costs none.
func reconnects() []string {
	return []string{"option redispatch 1", "retries " + strconv.Itoa(mostConnects), "retry-on conn-failure empty-response"}
}

// frequent is from how many requests a second on it costs too much to keep each one:
// HAProxy copies a whole buffer of tune.bufsize for that, which takes a quarter of
// what a small request costs altogether.
const frequent = 1000

const (
	// RollingTable holds the names of sections whose endpoints have changed a moment
	// ago. Whoever changes the servers of a section, and whoever has HAProxy start
	// anew meanwhile, writes it there.
	RollingTable = "rolling"
	// RollingFor is for how long a name stays: an endpoint that is there again is often
	// the first word of another one's end, which may take as long as Kubernetes gives
	// to a pod by default (30 s), and longer.
	RollingFor = time.Minute
	// longestSection takes every name of a section.
	longestSection = 256
	// mostRolling bounds the table. The oldest make room.
	mostRolling = 1 << 16
	// varRolls is true where the table has the section that a request is led to.
	varRolls = "txn.rolls"
)

// rolling is the table of sections whose endpoints change.
func rolling() *Section {
	return &Section{Kind: "backend", Name: RollingTable, Lines: []string{fmt.Sprintf(
		"stick-table type string len %d size %d expire %s store gpt0", longestSection, mostRolling, milliseconds(RollingFor))}}
}

// rolls looks a request's section up in the table, where that says anything. Frontends
// do: HAProxy keeps a list of all that ask a table, and walks through it for each of
// them when it starts, which takes it twice as long where 5,000 sections ask.
func rolls() string {
	return "http-request set-var(" + varRolls + ") bool(true) if !{ http_first_req } { var(" + varTo + "),field(1,|),in_table(" + RollingTable + ") -m bool }"
}

// retries are what a rule says of all else. Where it says nothing, there is this: a
// backend may close an idle connection while a request is on its way, and what may be
// made twice, and has no content, is then made again. Where requests are frequent,
// connections are idle for a moment only, and it happens when a backend ends, which is
// when endpoints come and go: all requests are kept for a while then. Else, those
// that are not the first of their connection are left to the client, which is
// told to make them again: HAProxy resets their stream with REFUSED_STREAM, or closes
// a connection of HTTP/1.1 on which it has said nothing (RFC 9112, section 9.3.1).
func (c *Config) retries(rule *ir.Rule) []string {
	if rule.Retry == nil {
		return []string{fmt.Sprintf(
			"http-request disable-l7-retry if !METH_GET !METH_OPTIONS || { be_sess_rate gt %d } !{ http_first_req } !{ var(%s) -m bool }",
			frequent, varRolls)}
	}
	lines := []string{
		"retries " + strconv.Itoa(c.attempts(rule)),
		"retry-on " + strings.Join(failures(rule), " "),
	}
	if codes := rule.Retry.Codes; len(codes) > 0 && rule.Retry.Backoff > 0 {
		// The next try is made as soon as the answer is read: so answers that are
		// failures are not read until the wait is over, which begins with the try.
		lines = append(lines,
			"tcp-response inspect-delay "+milliseconds(time.Duration(rule.Retry.Backoff)),
			"tcp-response content accept unless { status "+listed(codes, " ")+" }",
			"tcp-response content accept if WAIT_END",
		)
	}
	if c.bound(rule) == 0 {
		lines = append(lines, waitForBody(time.Duration(c.unit.Proxy.Settings.Timeouts.Stall)))
	}
	return lines
}

// attempts are the tries after the first. Those that run out of their time must
// have run out together before the request's time has, and so must the waits.
func (c *Config) attempts(rule *ir.Rule) int {
	attempts, whole := rule.Retry.Attempts, c.bound(rule)
	if try := time.Duration(rule.Timeouts.BackendRequest); whole > 0 && try > 0 {
		attempts = min(attempts, max(0, int(whole/try)-1))
	}
	if wait := time.Duration(rule.Retry.Backoff); whole > 0 && wait > 0 {
		attempts = min(attempts, int(whole/wait))
	}
	return min(attempts, mostAttempts)
}

// failures are what counts as one, in HAProxy's words. A try that has no bound of
// its own runs out of the request's time, of which none is left then.
func failures(rule *ir.Rule) []string {
	all := []string{"conn-failure", "empty-response", "junk-response"}
	if rule.Timeouts.BackendRequest > 0 {
		all = append(all, "response-timeout")
	}
	for _, code := range rule.Retry.Codes {
		all = append(all, strconv.Itoa(code))
	}
	return all
}
