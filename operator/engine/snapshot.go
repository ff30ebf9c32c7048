package engine

import (
	"maps"
	"net/netip"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
)

// Snapshot is everything that is known at one moment.
type Snapshot struct {
	Classes []*findings.Report
	// Units are ordered by owner.
	Units []Unit
	// Unclaimed are objects that nobody here looks after.
	Unclaimed []Unclaimed
	// Complete is true where everything that there is has been translated: an
	// object without a report is then nobody's here.
	Complete bool
}

// Outcome is what a dataplane said of the unit.
type Outcome = dataplanes.Outcome

// Unit is what is known of one unit.
type Unit struct {
	Owner      ir.Object
	Controller gatewayv1.GatewayController
	Output     gatewayapi.Output
	// Endpoints are those that go with Output.Proxy.
	Endpoints []*ir.Endpoints
	// Version is the one that was sent; empty where none was.
	Version string
	// Address is where its listeners bind; invalid where it is not served.
	Address    netip.Addr
	PortOffset int
	// Outcome is nil until the proxy has answered for the first time.
	Outcome *Outcome
	// Refused is true where Outcome is the proxy's answer to Version, which it did
	// not put in force.
	Refused bool
	// Overdue is true where Version has been waited for long enough.
	Overdue bool
	// Failure says why no proxy runs.
	Failure string
	// reports are those that Reports returned for the unit as it is.
	reports []*findings.Report
}

// same reports whether two units have the same reports.
func (u *Unit) same(other *Unit) bool {
	a, b := u.Output.Reports, other.Output.Reports
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) && u.Output.Proxy == other.Output.Proxy &&
		u.Version == other.Version && u.Address == other.Address && u.Outcome == other.Outcome &&
		u.Refused == other.Refused && u.Overdue == other.Overdue && u.Failure == other.Failure
}

func (e *Engine) publish() {
	e.told, e.last = e.opts.Clock.Now(), e.settled()
	if e.opts.Sink != nil {
		e.opts.Sink.Publish(e.snapshot())
	}
}

func (e *Engine) snapshot() Snapshot {
	s := Snapshot{Unclaimed: e.unclaimed, Complete: e.last}
	for i := range e.fronts {
		s.Classes = append(s.Classes, e.classes[i]...)
	}
	for _, owner := range slices.SortedFunc(maps.Keys(e.units), compareOwners) {
		u := e.units[owner]
		known := Unit{
			Owner: owner, Controller: u.output.Controller, Output: u.output,
			Version: u.assigned.Version, Address: u.assigned.Address, PortOffset: u.assigned.PortOffset, Outcome: u.outcome,
			Refused: u.refused, Overdue: e.led && u.awaited() && !u.due.After(e.told),
		}
		if u.assigned.Unit != nil {
			known.Endpoints = u.assigned.Unit.Endpoints
		}
		if err := e.failed[u.output.Controller]; err != nil {
			known.Failure = err.Error()
		}
		known.reports = u.told.reports
		if known.reports == nil || !known.same(&u.told) {
			known.reports = known.merge()
		}
		u.told = known
		s.Units = append(s.Units, known)
	}
	return s
}
