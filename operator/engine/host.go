package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
)

// Order is a unit and what is asked of whatever runs it.
type Order struct {
	dataplanes.Assignment
	Controller     gatewayv1.GatewayController
	Infrastructure *gatewayapi.Infrastructure
}

// Fleet runs units as pods of a cluster.
//
// Apply and Remove take note and return, as those of dataplanes.Local do. Every
// outcome has a Reach, and one comes whenever anything changed that it tells.
// Its Version is the one that was asked for once every pod that is ready runs it.
type Fleet interface {
	Apply(Order)
	Remove(owner ir.Object)
	Outcomes() <-chan dataplanes.Outcome
	// Lead is called once this engine's word begins to count, where it did not from
	// the start. Outcomes come from then on.
	Lead()
	// Complete is called once, when every object that there was at the start is
	// known and every unit of them has been applied, unless it was refused as a
	// whole: what runs for other owners belongs to nobody any more.
	Complete(owners []ir.Object)
}

// host is where units run.
type host interface {
	Apply(Order)
	Remove(owner ir.Object)
}

// machine is a proxy on this machine as a host.
type machine struct{ dataplanes.Local }

var _ host = machine{}

// Apply implements host.
func (m machine) Apply(o Order) { m.Local.Apply(o.Assignment) }

// idle reports whether there is nothing that could serve.
func (e *Engine) idle() bool { return len(e.opts.Dataplanes) == 0 && e.opts.Fleet == nil }

// muster begins to hear what the fleet says.
func (e *Engine) muster() {
	if e.opts.Fleet != nil {
		e.hear(e.opts.Fleet.Outcomes())
	}
}

func (e *Engine) hear(outcomes <-chan dataplanes.Outcome) {
	e.draining.Go(func() {
		for o := range outcomes {
			e.outcomes.put(o)
		}
	})
}

// settled reports whether everything that there is has been translated.
func (e *Engine) settled() bool { return len(e.pending) == 0 && e.set.Listed() }

// complete tells the fleet, once, that it has been given everything.
func (e *Engine) complete() {
	if e.opts.Fleet == nil || e.whole || !e.settled() {
		return
	}
	e.whole = true
	e.opts.Fleet.Complete(slices.SortedFunc(maps.Keys(e.units), compareOwners))
}

// lead gives every unit its time to answer. What a fleet has said already, it has
// said as the leader's, and says but once.
func (e *Engine) lead() {
	e.led = true
	due := e.opts.Clock.Now().Add(overdue)
	for _, u := range e.units {
		u.due = due
	}
	if e.opts.Fleet != nil {
		e.opts.Fleet.Lead()
	}
	e.publish()
}

// hostOf returns what runs the units of a controller; nil where nothing does.
func (e *Engine) hostOf(ctx context.Context, controller gatewayv1.GatewayController) host {
	if e.opts.Fleet != nil {
		return e.opts.Fleet
	}
	plane := e.opts.Dataplanes[controller]
	if local := e.locals[controller]; local != nil || plane == nil || e.failed[controller] != nil {
		return local
	}
	local, err := plane.Start(ctx, e.opts.Local)
	if err != nil {
		e.failed[controller] = fmt.Errorf("the %s dataplane cannot start: %w", plane.Name(), err)
		return nil
	}
	e.locals[controller] = machine{local}
	e.hear(local.Outcomes())
	return machine{local}
}
