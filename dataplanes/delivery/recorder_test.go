package delivery_test

import (
	"context"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
)

// recorder is a dataplane that puts everything in force at once and tells what
// it was given.
type recorder struct {
	assigned chan ir.Unit
	outcomes chan dataplanes.Outcome
	zone     string
	ctx      context.Context
}

var _ dataplanes.Local = (*recorder)(nil)

func (r *recorder) start(ctx context.Context, zone, _ string) (dataplanes.Local, error) {
	r.outcomes, r.zone, r.ctx = make(chan dataplanes.Outcome, 100), zone, ctx
	context.AfterFunc(ctx, func() { close(r.outcomes) })
	return r, nil
}

func (r *recorder) Apply(a dataplanes.Assignment) {
	if r.ctx.Err() != nil {
		return
	}
	r.assigned <- *a.Unit
	r.outcomes <- dataplanes.Outcome{Owner: a.Unit.Proxy.Owner, Version: a.Version}
}

func (r *recorder) Remove(ir.Object) {}

func (r *recorder) Outcomes() <-chan dataplanes.Outcome { return r.outcomes }
