package haproxy

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// processText is the part of the configuration that is this program's. Nothing shows
// it: it holds the key of the unit's sessions, in BASE64.
func (u *unit) processText() string {
	lines := []string{
		"global",
		"set-var " + translator.SessionKey + " str(" + base64.StdEncoding.EncodeToString([]byte(u.sessionKey())) + ")",
		"mworker-max-reloads " + strconv.Itoa(mostReloads),
	}
	if u.local.leaving.Load() {
		// A reload forgets what the worker was told.
		lines = append(lines, "set-var proc.leaving bool(true)")
	}
	return strings.Join(lines, "\n  ") + "\n\n"
}

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
	err := u.process.admin.Do(ctx, []command{{line: translator.Leave}})
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
