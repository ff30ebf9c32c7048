package envoy

import (
	"context"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/envoy/record"
	"github.com/sluice-gateway/sluice/dataplanes/internal/accesslog"
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
)

// records are the access log and the metrics of all units.
type records struct {
	log     *accesslog.Log
	metrics *admin.Metrics
}

func newRecords(opts dataplanes.Options) *records {
	r := &records{}
	if opts.AccessLog != nil {
		r.log = accesslog.New(opts.AccessLog)
	}
	r.metrics = admin.NewMetrics(opts.Metrics, r.log.Dropped)
	r.metrics.LeaveToProxy()
	return r
}

// ask has metrics ask the Envoys that run.
func (r *records) ask(children func() []record.Child) {
	r.metrics.Registry().MustRegister(record.NewNumbers(children))
}

// unit returns what reads the lines of one Envoy.
func (r *records) unit() *record.Unit { return record.NewUnit(r.metrics, r.log) }

// close writes what is left of the access log.
func (r *records) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	r.log.Close(ctx)
}
