package haproxy

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// sessionKey is what the tokens of the unit's sessions are made with: what all
// proxies of the unit were given, or else a random one of this proxy's own.
func (u *unit) sessionKey() ir.Secret {
	if key := u.assigned.SessionKey; key != "" {
		return key
	}
	if u.ownKey == "" {
		random := make([]byte, 32)
		_, _ = rand.Read(random) // It never fails (Go 1.24).
		u.ownKey = ir.Secret(random)
	}
	return u.ownKey
}

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
	if drain := time.Duration(u.assigned.Unit.Proxy.Settings.Timeouts.Drain); drain > 0 {
		lines = append(lines, fmt.Sprintf("hard-stop-after %dms", max(1, drain.Milliseconds())))
	}
	return strings.Join(lines, "\n  ") + "\n\n"
}

// mostThreads is the most that HAProxy has in one group.
const mostThreads = 64

// mostReloads is for how many a worker may outlive its time: each takes memory.
const mostReloads = 24
