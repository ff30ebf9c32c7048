package haproxy

import (
	"context"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/agent/units"
	"github.com/sluice-gateway/sluice/dataplanes/haproxy/record"
	"github.com/sluice-gateway/sluice/ir"
)

// local runs a HAProxy for each unit.
type local struct {
	*units.Local[*unit]
	detours *detours
}

var _ dataplanes.Local = local{}

func start(ctx context.Context, opts dataplanes.Options) (local, error) {
	l := local{Local: units.New[*unit](opts, wanted)}
	l.Records.Metrics.Registry().MustRegister(record.NewNumbers(l.recorded))
	l.detours = newDetours(opts, l.Records)
	return l, l.Start(ctx, units.Kind[*unit]{Name: Dataplane{}.Name(), Begin: l.begin, End: l.detours.close})
}

func (l local) begin(owner ir.Object) *unit { return beginUnit(l.Shared, l.detours, owner) }

// Child is a HAProxy that runs.
type Child struct {
	Owner ir.Object
	// PID is the master process; 0 while it is started again.
	PID int
	// Dir is its folder.
	Dir string
	// Admin takes commands of the runtime API, Master those about workers.
	Admin, Master *Socket
}

// Children returns the HAProxys that run, in no order.
func (l local) Children() []Child {
	var all []Child
	for _, u := range l.Units() {
		if p := u.running.Load(); p != nil {
			all = append(all, Child{Owner: u.Owner, PID: p.child.PID(), Dir: p.folder.Dir, Admin: p.admin, Master: p.master})
		}
	}
	return all
}

// recorded returns the HAProxys that run as metrics ask them.
func (l local) recorded() []record.Child {
	var all []record.Child
	for _, u := range l.Units() {
		if p := u.running.Load(); p != nil {
			all = append(all, record.Child{Unit: p.record, Admin: p.admin})
		}
	}
	return all
}
