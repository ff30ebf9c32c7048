package envoy

import (
	"context"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/agent/units"
	"github.com/sluice-gateway/sluice/dataplanes/envoy/record"
	"github.com/sluice-gateway/sluice/ir"
)

// local runs an Envoy for each unit.
type local struct{ *units.Local[*unit] }

var _ dataplanes.Local = local{}

func start(ctx context.Context, opts dataplanes.Options) (local, error) {
	l := local{units.New[*unit](opts, wanted)}
	l.Records.Metrics.Registry().MustRegister(record.NewNumbers(l.recorded))
	return l, l.Start(ctx, units.Kind[*unit]{Name: Dataplane{}.Name(), Begin: l.begin})
}

func (l local) begin(owner ir.Object) *unit { return beginUnit(l.Shared, owner) }

// Child is an Envoy that runs.
type Child struct {
	Owner ir.Object
	// PID is 0 while it is started again.
	PID   int
	Admin *Admin
}

// Children returns the Envoys that run, in no order.
func (l local) Children() []Child {
	var all []Child
	for _, u := range l.Units() {
		if p := u.running.Load(); p != nil {
			all = append(all, Child{Owner: u.Owner, PID: p.child.PID(), Admin: p.admin})
		}
	}
	return all
}

// recorded returns the Envoys that run as metrics ask them.
func (l local) recorded() []record.Child {
	var all []record.Child
	for _, u := range l.Units() {
		if p := u.running.Load(); p != nil {
			all = append(all, record.Child{Unit: u.record, Admin: p.admin})
		}
	}
	return all
}
