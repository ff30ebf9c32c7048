package envoy

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/agent"
	"github.com/sluice-gateway/sluice/dataplanes/agent/ports"
	"github.com/sluice-gateway/sluice/dataplanes/agent/records"
	"github.com/sluice-gateway/sluice/dataplanes/envoy/record"
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
	"github.com/sluice-gateway/sluice/dataplanes/internal/allowance"
	"github.com/sluice-gateway/sluice/ir"
)

// local runs a unit for each owner, side by side.
type local struct {
	*agent.Wishes
	opts    dataplanes.Options
	outbox  *agent.Outbox
	records *records.Records
	admin   *admin.Server
	ports   *ports.Ports
	program *agent.Finder
	// leaving is set when clients are asked to go.
	leaving atomic.Bool
	ending  sync.WaitGroup

	mu sync.Mutex
	// byOwner are the units; run alone changes them.
	byOwner map[ir.Object]*unit
}

var _ dataplanes.Local = (*local)(nil)

func newLocal(ctx context.Context, opts dataplanes.Options) (*local, error) {
	l := &local{
		Wishes: agent.NewWishes(), opts: opts, outbox: agent.NewOutbox(), ports: ports.None(), byOwner: map[ir.Object]*unit{},
		records: records.New(opts), program: &agent.Finder{Wanted: wanted},
	}
	allowance.Inherit()
	l.records.Metrics.Registry().MustRegister(record.NewNumbers(l.recorded))
	if opts.Admin.Port() == 0 {
		return l, nil
	}
	var err error
	if l.admin, err = admin.Listen(ctx, opts.Admin, "envoy", l.records.Metrics); err != nil {
		l.outbox.Close()
	}
	return l, err
}

// Outcomes is closed when all units have drained.
func (l *local) Outcomes() <-chan dataplanes.Outcome { return l.outbox.Outcomes() }

// run does what is asked for until the context ends.
func (l *local) run(ctx context.Context) {
	leaving := l.opts.Leaving
	for {
		select {
		case <-ctx.Done():
			l.stop()
			return
		case <-leaving:
			leaving = nil
			l.leaving.Store(true)
			for _, u := range l.units() {
				u.hurry()
			}
		case <-l.Wake():
			for _, wish := range l.Take() {
				l.grant(wish)
			}
		}
	}
}

// stop drains all units at once.
func (l *local) stop() {
	l.admin.SetReady(false)
	for _, u := range l.units() {
		l.end(u.owner)
	}
	l.ending.Wait()
	l.records.Close()
	l.outbox.Close()
	l.admin.Close()
}

func (l *local) grant(wish agent.Wish) {
	if wish.Assignment == nil {
		l.end(wish.Owner)
		return
	}
	l.mu.Lock()
	u := l.byOwner[wish.Owner]
	if u == nil {
		u = startUnit(l, wish.Owner)
		l.byOwner[wish.Owner] = u
	}
	l.mu.Unlock()
	u.apply(wish.Assignment)
}

// end lets a unit drain.
func (l *local) end(owner ir.Object) {
	l.mu.Lock()
	u := l.byOwner[owner]
	delete(l.byOwner, owner)
	none := len(l.byOwner) == 0
	l.mu.Unlock()
	if u == nil {
		return
	}
	if none {
		l.admin.SetReady(false)
	}
	l.ending.Go(func() {
		u.stop()
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.byOwner[owner] == nil {
			l.outbox.Drop(owner)
		}
	})
}

func (l *local) units() []*unit {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.byOwner))
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
	var all []Child
	for _, u := range l.units() {
		if p := u.running.Load(); p != nil {
			all = append(all, Child{Owner: u.owner, PID: p.child.PID(), Admin: p.admin})
		}
	}
	return all
}

// recorded returns the Envoys that run as metrics ask them.
func (l *local) recorded() []record.Child {
	var all []record.Child
	for _, u := range l.units() {
		if p := u.running.Load(); p != nil {
			all = append(all, record.Child{Unit: u.record, Admin: p.admin})
		}
	}
	return all
}
