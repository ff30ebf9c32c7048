package records

import (
	"context"
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
