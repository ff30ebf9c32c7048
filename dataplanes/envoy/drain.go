package envoy

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/envoy/ads"
)

// End closes the unit's sockets, lets what is under way come to an end, as far as
// the settings have patience, and ends the process.
func (u *unit) End() {
	if u.process == nil {
		return
	}
	ctx, cancel := u.Patience()
	defer cancel()
	u.process.server.Put(ads.Listeners, nil)
	u.Ports.Keep(u, nil)
	u.drain(ctx)
	u.running.Store(nil)
	u.process.stop()
}

// Leave has clients make another connection for their next request, where the
// whole proxy is about to end.
func (u *unit) Leave(ctx context.Context) {
	if u.process == nil || !u.Leaving() {
		return
	}
	// An Envoy that does not answer will be told when it has been started again.
	_ = u.process.admin.Post(ctx, "/drain_listeners?graceful&skip_exit")
}

// drain waits until nothing is under way.
func (u *unit) drain(ctx context.Context) {
	for wait := time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 100*time.Millisecond) {
		if u.process.child.PID() == 0 {
			return
		}
		if _, err := u.process.server.Settle(ctx); err != nil {
			return
		}
		busy, err := u.process.admin.busy(ctx)
		if err == nil && !busy {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// busy reports whether a request or a stream is under way. Connections of HTTP that
// only wait for a next request are not.
func (a *Admin) busy(ctx context.Context) (bool, error) {
	body, err := a.Get(ctx, "/stats?filter=^(http|listener)[.].*[.]downstream_(rq|cx)_active$")
	if err != nil {
		return false, err
	}
	requests, connections := 0, 0
	for line := range strings.Lines(string(body)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		n, err := strconv.Atoi(value)
		if err != nil || strings.Contains(name, ".admin.") || strings.Contains(name, ".worker_") {
			continue
		}
		switch {
		case strings.HasPrefix(name, "http.") && strings.HasSuffix(name, "_rq_active"):
			requests += n
		case strings.HasPrefix(name, "http."):
			connections -= n
		case strings.HasSuffix(name, "_cx_active"):
			connections += n
		}
	}
	return requests > 0 || connections > 0, nil
}
