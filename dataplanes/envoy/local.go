package envoy

import (
	"context"
	"sync"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/agent"
	"github.com/sluice-gateway/sluice/dataplanes/envoy/record"
	"github.com/sluice-gateway/sluice/ir"
)

// local runs a unit for each owner, side by side.
type local struct {
	*agent.Wishes
	opts    dataplanes.Options
	outbox  *agent.Outbox
	ending  sync.WaitGroup
	byOwner map[ir.Object]*unit
	ports   *ports
	records *records
	program program

	mu sync.Mutex
	// children are the processes that run.
	children map[*unit]*process
}

var _ dataplanes.Local = (*local)(nil)

func newLocal(opts dataplanes.Options) *local {
	l := &local{Wishes: agent.NewWishes(), opts: opts, outbox: agent.NewOutbox(), byOwner: map[ir.Object]*unit{}, ports: newPorts(),
		children: map[*unit]*process{}, records: newRecords(opts)}
	l.records.ask(l.recorded)
	return l
}

// Outcomes is closed when all units have drained.
func (l *local) Outcomes() <-chan dataplanes.Outcome { return l.outbox.Outcomes() }

// run does what is asked for until the context ends.
func (l *local) run(ctx context.Context) {
	leaving := l.opts.Leaving
	for {
		select {
		case <-leaving:
			leaving = nil
			l.leave(ctx)
		case <-ctx.Done():
			for owner := range l.byOwner {
				l.end(owner)
			}
			l.ending.Wait()
			l.records.close()
			l.outbox.Close()
			return
		case <-l.Wake():
			for _, wish := range l.Take() {
				l.grant(wish)
			}
		}
	}
}

// leave has every Envoy ask its clients to go, and serve on. One that does not
// answer ends as it is, without.
func (l *local) leave(ctx context.Context) {
	for _, c := range l.Children() {
		l.ending.Go(func() { _ = c.Admin.Post(ctx, "/drain_listeners?graceful&skip_exit") })
	}
}

func (l *local) grant(wish agent.Wish) {
	if wish.Assignment == nil {
		l.end(wish.Owner)
		return
	}
	u := l.byOwner[wish.Owner]
	if u == nil {
		u = newUnit(l, wish.Owner)
		l.byOwner[wish.Owner] = u
	}
	u.apply(wish.Assignment)
}

// end lets a unit drain.
func (l *local) end(owner ir.Object) {
	u := l.byOwner[owner]
	if u == nil {
		return
	}
	delete(l.byOwner, owner)
	l.outbox.Drop(owner)
	l.ending.Go(u.stop)
}

// Child is an Envoy that runs.
type Child struct {
	Owner ir.Object
	// PID is 0 while it is started again.
	PID   int
	Admin *Admin
}

// Children returns the Envoys that run, in no order.
func (l *local) Children() []Child {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Child
	for u, p := range l.children {
		all = append(all, Child{Owner: u.owner, PID: p.child.PID(), Admin: p.admin})
	}
	return all
}

// recorded returns the Envoys that run as metrics ask them.
func (l *local) recorded() []record.Child {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []record.Child
	for u, p := range l.children {
		all = append(all, record.Child{Unit: u.record, Admin: p.admin})
	}
	return all
}

// runs takes note of a unit's process; nil where it has ended.
func (l *local) runs(u *unit, p *process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.children, u)
	if p != nil {
		l.children[u] = p
	}
}
