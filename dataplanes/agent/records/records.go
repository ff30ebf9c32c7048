package records

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/internal/accesslog"
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
)

// Records are the access log and the metrics of all units.
type Records struct {
	// Log is nil where nobody wants one.
	Log     *accesslog.Log
	Metrics *admin.Metrics
	// Lost counts lines that a proxy could not hand over.
	Lost atomic.Uint64
}

// New returns those that a proxy's options ask for, without the metrics that only a
// proxy can tell that runs in this process.
func New(opts dataplanes.Options) *Records {
	r := &Records{}
	if opts.AccessLog != nil {
		r.Log = accesslog.New(opts.AccessLog)
	}
	r.Metrics = admin.NewMetrics(opts.Metrics, func() uint64 { return r.Log.Dropped() + r.Lost.Load() })
	r.Metrics.LeaveToProxy()
	return r
}

// Close writes what is left of the access log.
func (r *Records) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	r.Log.Close(ctx)
}

// Labelled has the names of listeners and routes by which metrics count.
type Labelled interface {
	Labels() (listeners, routes map[string]bool)
}

// Forget takes away the metrics of what is in one configuration and not in the next.
func Forget(metrics *admin.Metrics, last, next Labelled) {
	oldListeners, oldRoutes := last.Labels()
	listeners, routes := next.Labels()
	for name := range oldListeners {
		if !listeners[name] {
			metrics.Forget(name, "")
		}
	}
	for name := range oldRoutes {
		if !routes[name] {
			metrics.Forget("", name)
		}
	}
}

// Survive is deferred by who takes a line. What clients wrote must not end the program
// that all units of this machine depend on, whatever is wrong with this code.
func Survive() {
	if r := recover(); r != nil {
		slog.Error("a line about a request was lost, because of a fault of this program: please report it", "fault", r, "stack", string(debug.Stack()))
	}
}
