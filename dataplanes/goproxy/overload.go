package goproxy

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/listen"
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
	"github.com/sluice-gateway/sluice/dataplanes/internal/allowance"
	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
)

// newGuard returns the process's guard, which watches the memory until the
// context ends.
func newGuard(ctx context.Context, metrics *admin.Metrics) *guard.Guard {
	guard.Collect()
	g := guard.New(guard.Input{Descriptors: allowance.Descriptors(), Memory: guard.Memory()})
	for name, share := range map[string]*guard.Budget{
		"clients": g.Clients, "opening": g.Opening, "udp_sessions": g.Sessions, "requests": g.Requests, "idle_backends": g.Idle,
	} {
		metrics.Share(name, admin.Shares{Most: share.Most, Taken: share.Taken})
	}
	metrics.Pressed(g.Pressed)
	go g.Watch(ctx)
	return g
}

// Why a request is turned away. They are few and fixed: labels of a metric.
const (
	shedMemory      = "memory"
	shedRequests    = "requests"
	shedDescriptors = "descriptors"
)

// overloaded is the access log's flag for what is turned away.
const overloaded = "overloaded"

// admit takes a place for a request, or says why there is none. It costs two
// additions.
func (t *transaction) admit(places *guard.Budget) (refused string) {
	all := t.shared.guard
	switch {
	case all.Pressed():
		return shedMemory
	case !places.TakeOf(1, int64(t.settings().Limits.Requests)):
		return shedRequests
	case !all.Requests.Take(1):
		places.Give(1)
		return shedDescriptors
	}
	t.places = places
	return ""
}

// leave gives the request's place back.
func (t *transaction) leave() {
	if t.places != nil {
		t.places.Give(1)
		t.shared.guard.Requests.Give(1)
	}
}

// shed answers before anything is looked up, read or asked for: what is under way
// is to have what there is. Nothing of the request has gone anywhere, so that a
// client may send it again.
func (t *transaction) shed(reason string) *exchange.Response {
	t.shared.metrics.Shed(reason)
	response := t.refuse(http.StatusServiceUnavailable, overloaded)
	response.Header.Add("Retry-After", "1")
	return response
}

// full is admit for what carries no requests.
func (s *shared) full() (refused bool) { return s.guard.Pressed() || !s.guard.Requests.Take(1) }

// admitSession takes a place for a session of UDP, or says that there is none.
func (s *shared) admitSession() bool {
	if s.guard.Pressed() || !s.guard.Sessions.Take(1) {
		return false
	}
	if !s.guard.Clients.Take(1) {
		s.guard.Sessions.Give(1)
		return false
	}
	return true
}

func (s *shared) leaveSession() {
	s.guard.Clients.Give(1)
	s.guard.Sessions.Give(1)
}

// doorkeeper counts connections, and has the log say that the system has none to
// give.
type doorkeeper struct {
	*admin.Metrics
	// said is when that was last said, in nanoseconds since the epoch.
	said atomic.Int64
}

var _ listen.Observer = (*doorkeeper)(nil)

// AcceptFailed says so once a minute: the system is asked many times a second.
func (d *doorkeeper) AcceptFailed(port uint16, err error) {
	d.Metrics.AcceptFailed(port, err)
	now, said := time.Now().UnixNano(), d.said.Load()
	if now-said < int64(time.Minute) || !d.said.CompareAndSwap(said, now) {
		return
	}
	slog.Warn("clients are not let in: raise the limit of open files, or the memory, of this process", "port", port, "error", err)
}
