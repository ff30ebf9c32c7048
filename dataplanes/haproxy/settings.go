package haproxy

import (
	"context"
	"encoding/base64"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// processText is the part of the configuration that is this program's. Nothing shows
// it: it holds the key of the unit's sessions, in BASE64.
func (u *unit) processText() string {
	lines := []string{
		"global",
		"set-var " + translator.SessionKey + " str(" + base64.StdEncoding.EncodeToString([]byte(u.sessionKey())) + ")",
		// What bounds this program bounds HAProxy beside it: threads that take turns on
		// a processor cost more for each request.
		"nbthread " + strconv.Itoa(min(runtime.GOMAXPROCS(0), mostThreads)),
		"mworker-max-reloads " + strconv.Itoa(mostReloads),
	}
	if u.local.leaving.Load() {
		lines = append(lines, "set-var "+translator.Leaving+" bool(true)")
	}
	if drain := time.Duration(u.assigned.Unit.Proxy.Settings.Timeouts.Drain); drain > 0 {
		lines = append(lines, fmt.Sprintf("hard-stop-after %dms", max(1, drain.Milliseconds())))
	}
	return strings.Join(lines, "\n  ") + "\n\n"
}

// mostThreads is the most that HAProxy has in one group.
const mostThreads = 64

// mostReloads is for how many a worker may outlive its time: each takes memory.
const mostReloads = 24

// askToLeave has clients make another connection for their next request, where the
// whole proxy is about to end.
func (u *unit) askToLeave(ctx context.Context) {
	if u.process == nil || u.process.runs == nil || !u.local.leaving.Load() {
		return
	}
	text := u.processText()
	if u.process.runs.process == text {
		return
	}
	err := u.process.admin.Do(ctx, []command{{line: "experimental-mode on"}, {line: "set var " + translator.Leaving + " bool(true)"}})
	if err != nil {
		// A HAProxy that does not answer will be told when it has been started again.
		return
	}
	next := *u.process.runs
	next.process = text
	if u.process.write(next.texts()) == nil {
		u.process.runs = &next
	}
}
