package units

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
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
	"github.com/sluice-gateway/sluice/dataplanes/internal/allowance"
	"github.com/sluice-gateway/sluice/ir"
)

// Shared is what all units of a proxy have in common.
type Shared struct {
	Options dataplanes.Options
	Records *records.Records
	Ports   *ports.Ports
	Program *agent.Finder

	outbox  *agent.Outbox
	admin   *admin.Server
	leaving atomic.Bool
}

// Leaving reports whether clients are asked to go.
func (s *Shared) Leaving() bool { return s.leaving.Load() }

// Report says what has become of a unit.
func (s *Shared) Report(out dataplanes.Outcome) { s.outbox.Report(out) }

// Unit serves one owner. A Life is most of one.
type Unit interface {
	// Apply takes note of what is to be in force.
	Apply(*dataplanes.Assignment)
	// Hurry has the unit look what there is to do.
	Hurry()
	// Stop drains, and waits until nothing of the unit is left.
	Stop()
}

// Local runs a unit for each owner, side by side.
type Local[U Unit] struct {
	*agent.Wishes
	*Shared
	begin  func(ir.Object) U
	ending sync.WaitGroup

	mu sync.Mutex
	// byOwner are the units; run alone changes them.
	byOwner map[ir.Object]U
}

// New returns one that serves nothing before Start.
func New[U Unit](opts dataplanes.Options, program agent.Wanted) *Local[U] {
	allowance.Inherit()
	return &Local[U]{Wishes: agent.NewWishes(), byOwner: map[ir.Object]U{}, Shared: &Shared{
		Options: opts, Records: records.New(opts), Ports: ports.None(), Program: &agent.Finder{Wanted: program}, outbox: agent.NewOutbox(),
	}}
}

// Kind says what the units of a proxy are.
type Kind[U Unit] struct {
	// Name is the dataplane's.
	Name string
	// Begin returns a unit for an owner who has none.
	Begin func(owner ir.Object) U
	// End is called after the last unit's; nil is nothing.
	End func()
}

// Start serves units until the context ends. Its one error is an admin address that
// cannot be bound.
func (l *Local[U]) Start(ctx context.Context, kind Kind[U]) error {
	l.begin = kind.Begin
	if kind.End == nil {
		kind.End = func() {}
	}
	if l.Options.Admin.Port() != 0 {
		var err error
		if l.admin, err = admin.Listen(ctx, l.Options.Admin, kind.Name, l.Records.Metrics); err != nil {
			kind.End()
			l.outbox.Close()
			return err
		}
	}
	go l.run(ctx, kind.End)
	return nil
}

// Outcomes is closed when all units have drained.
func (l *Local[U]) Outcomes() <-chan dataplanes.Outcome { return l.outbox.Outcomes() }

// run does what is asked for until the context ends.
func (l *Local[U]) run(ctx context.Context, end func()) {
	leaving := l.Options.Leaving
	for {
		select {
		case <-ctx.Done():
			l.stop(end)
			return
		case <-leaving:
			leaving = nil
			l.leaving.Store(true)
			for _, u := range l.Units() {
				u.Hurry()
			}
		case <-l.Wake():
			for _, wish := range l.Take() {
				l.grant(wish)
			}
		}
	}
}

// stop drains all units at once, and then ends what they share.
func (l *Local[U]) stop(end func()) {
	l.admin.SetReady(false)
	for _, owner := range slices.Collect(maps.Keys(l.byOwner)) {
		l.end(owner)
	}
	l.ending.Wait()
	end()
	l.Records.Close()
	l.outbox.Close()
	l.admin.Close()
}

func (l *Local[U]) grant(wish agent.Wish) {
	if wish.Assignment == nil {
		l.end(wish.Owner)
		return
	}
	l.mu.Lock()
	u, there := l.byOwner[wish.Owner]
	if !there {
		u = l.begin(wish.Owner)
		l.byOwner[wish.Owner] = u
	}
	l.mu.Unlock()
	u.Apply(wish.Assignment)
}

// end lets a unit drain.
func (l *Local[U]) end(owner ir.Object) {
	l.mu.Lock()
	u, there := l.byOwner[owner]
	delete(l.byOwner, owner)
	none := len(l.byOwner) == 0
	l.mu.Unlock()
	if !there {
		return
	}
	if none {
		l.admin.SetReady(false)
	}
	l.ending.Go(func() {
		u.Stop()
		l.mu.Lock()
		defer l.mu.Unlock()
		if _, again := l.byOwner[owner]; !again {
			l.outbox.Drop(owner)
		}
	})
}

// Units returns those that are served, in no order.
func (l *Local[U]) Units() []U {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.byOwner))
}
