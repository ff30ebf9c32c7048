package delivery_test

import (
	"context"
	"sync"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
)

// recorder is a dataplane that puts everything in force at once and tells what
// it was given.
type recorder struct {
	assigned chan ir.Unit
	outcomes chan dataplanes.Outcome
	zone     string

	mu    sync.Mutex
	ended bool
}

var _ dataplanes.Local = (*recorder)(nil)

func (r *recorder) start(ctx context.Context, zone, _ string) (dataplanes.Local, error) {
	r.outcomes, r.zone = make(chan dataplanes.Outcome, 100), zone
	context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ended = true
		close(r.outcomes)
	})
	return r, nil
}

func (r *recorder) Apply(a dataplanes.Assignment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	r.assigned <- *a.Unit
	r.outcomes <- dataplanes.Outcome{Owner: a.Unit.Proxy.Owner, Version: a.Version}
}

func (r *recorder) Remove(ir.Object) {}

func (r *recorder) Outcomes() <-chan dataplanes.Outcome { return r.outcomes }
