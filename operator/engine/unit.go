package engine

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
)

// unit is what the engine knows of one owner.
type unit struct {
	output gatewayapi.Output
	// served is where the unit was sent; nil while it was not.
	served   host
	version  version
	assigned Order
	// outcome is the last one that came.
	outcome *dataplanes.Outcome
	// refused is true where the proxy objected to what was sent and runs what it
	// ran; it stays until another outcome comes.
	refused bool
	// due is when the version that was sent must be active.
	due time.Time
	// told is the unit in the last snapshot.
	told Unit
	// classless is true while its class is gone, which has been told.
	classless bool
}

// outlive tells once of a unit that goes on without a class.
func (e *Engine) outlive(owner ir.Object, u *unit) {
	if u == nil || u.classless {
		return
	}
	u.classless = true
	if e.opts.Classless != nil {
		e.opts.Classless(owner)
	}
}

// translate makes a unit anew and sends what changed.
func (e *Engine) translate(ctx context.Context, front FrontEnd, owner ir.Object) {
	e.Counters.Translations.Add(1)
	output := front.Translate(owner)
	if output.Pending {
		e.pending[owner] = struct{}{}
		return
	}
	delete(e.pending, owner)
	u := e.units[owner]
	if output.Classless {
		// Classes are replaced by deleting them: their Gateways must not go, and their
		// addresses with them, for the moment in between.
		e.outlive(owner, u)
		return
	}
	known := u != nil
	if !known {
		u = &unit{}
		e.units[owner] = u
	}
	e.claimed.replace(u.output.Reports, output.Reports)
	u.output, u.classless = output, false
	if known && e.leaves(u) {
		e.withdraw(owner, u)
	}
	switch {
	case output.Proxy != nil:
		e.assign(e.hostOf(ctx, output.Controller), u, front.Endpoints(owner))
	case len(output.Reports) == 0:
		delete(e.units, owner)
	}
}

// leaves reports whether a unit must go from where it runs. In a cluster one that
// is refused as a whole stays as it was: a typing error in the parameters of a
// class must not end every Gateway of it. What runs there may run since before
// this process, which need not have sent anything.
func (e *Engine) leaves(u *unit) bool {
	if e.opts.Fleet != nil {
		return u.output.Proxy == nil && len(u.output.Reports) == 0
	}
	return u.served != nil && (u.output.Proxy == nil || u.output.Controller != u.assigned.Controller)
}

// withdraw takes a unit from where it runs.
func (e *Engine) withdraw(owner ir.Object, u *unit) {
	if e.opts.Fleet != nil {
		e.opts.Fleet.Remove(owner)
	} else {
		u.served.Remove(owner)
	}
	e.addresses.release(owner)
	u.served, u.outcome, u.assigned = nil, nil, Order{}
	u.refused, u.due = false, time.Time{}
}

// assign sends a unit where its content or its address changed.
func (e *Engine) assign(to host, u *unit, endpoints []*ir.Endpoints) {
	proxy := u.output.Proxy
	next := Order{
		Assignment: dataplanes.Assignment{
			Unit:       &ir.Unit{Proxy: proxy, Endpoints: endpoints},
			Version:    u.version.of(proxy),
			PortOffset: e.opts.PortOffset,
		},
		Controller: u.output.Controller, Infrastructure: u.output.Infrastructure,
	}
	if e.opts.Fleet == nil {
		next.Address = e.addresses.assign(proxy.Owner, ports(proxy))
	}
	if !u.changes(&next) {
		return
	}
	if next.Version == u.assigned.Version {
		e.Counters.EndpointUpdates.Add(1)
	} else {
		e.Counters.Assignments.Add(1)
	}
	if next.Version != u.assigned.Version || next.Address != u.assigned.Address {
		u.due = e.opts.Clock.Now().Add(overdue)
	}
	u.assigned = next
	if to != nil {
		u.served = to
		to.Apply(next)
	}
}

// changes reports whether an order differs from the last one, whose parts it
// takes over where they are the same, so that they stay shared.
func (u *unit) changes(next *Order) bool {
	last := &u.assigned
	if u.served == nil || next.Version != last.Version {
		return true
	}
	next.Unit.Proxy = last.Unit.Proxy
	return next.Address != last.Address || next.Controller != last.Controller || next.Infrastructure != last.Infrastructure ||
		!slices.Equal(next.Unit.Endpoints, last.Unit.Endpoints)
}

// refresh sends new endpoints of a unit that is otherwise as it was.
func (e *Engine) refresh(front FrontEnd, owner ir.Object) {
	u := e.units[owner]
	if u == nil || u.served == nil {
		return
	}
	endpoints := front.Endpoints(owner)
	if slices.Equal(endpoints, u.assigned.Unit.Endpoints) {
		return
	}
	u.assigned.Unit = &ir.Unit{Proxy: u.assigned.Unit.Proxy, Endpoints: endpoints}
	e.Counters.EndpointUpdates.Add(1)
	u.served.Apply(u.assigned)
}

// ports are those that a unit listens at, ordered, each once.
func ports(proxy *ir.Proxy) []uint16 {
	var list []uint16
	for _, l := range proxy.Listeners {
		list = append(list, l.Port)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// addresses gives each unit a local address at which its ports are free.
type addresses struct {
	bind  netip.Addr
	taken map[endpoint]ir.Object
	of    map[ir.Object]netip.Addr
}

type endpoint struct {
	address netip.Addr
	port    uint16
}

func newAddresses(bind netip.Addr) *addresses {
	return &addresses{bind: bind, taken: map[endpoint]ir.Object{}, of: map[ir.Object]netip.Addr{}}
}

// assign returns the address of a unit: the one that it has while its ports are
// free there, else the first one of 127.0.0.0/8 from the bound one on at which
// they are. Outside of 127.0.0.0/8 there is the bound address alone, and the
// proxy objects to a port that is taken.
func (a *addresses) assign(owner ir.Object, ports []uint16) netip.Addr {
	old, had := a.of[owner]
	a.release(owner)
	address := a.bind
	if had {
		address = old
	}
	if a.bind.Is4() && a.bind.IsLoopback() {
		if !a.free(address, ports) {
			address = a.bind
		}
		for !a.free(address, ports) && address.Next().IsLoopback() {
			address = address.Next()
		}
	}
	a.of[owner] = address
	for _, p := range ports {
		if _, taken := a.taken[endpoint{address, p}]; !taken {
			a.taken[endpoint{address, p}] = owner
		}
	}
	return address
}

func (a *addresses) free(address netip.Addr, ports []uint16) bool {
	for _, p := range ports {
		if _, taken := a.taken[endpoint{address, p}]; taken {
			return false
		}
	}
	return true
}

func (a *addresses) release(owner ir.Object) {
	for at, by := range a.taken {
		if by == owner {
			delete(a.taken, at)
		}
	}
	delete(a.of, owner)
}

func compareOwners(a, b ir.Object) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}
