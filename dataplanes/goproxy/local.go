package goproxy

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/filter"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/guard"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/mirror"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/upstream"
	"github.com/sluice-gateway/sluice/dataplanes/internal/accesslog"
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
	"github.com/sluice-gateway/sluice/ir"
)

// shared is what all units of one proxy use.
type shared struct {
	metrics  *admin.Metrics
	log      *accesslog.Log
	mirrors  *mirror.Mirrors
	sessions *filter.Sessions
	place    upstream.Place
	guard    *guard.Guard
	door     *doorkeeper
	panics   panics
	draining sync.WaitGroup
	// leaving is set when clients are asked to go, stopping when the whole proxy
	// stops.
	leaving, stopping atomic.Bool
}

// local runs units in this process.
type local struct {
	shared   *shared
	admin    *admin.Server
	outcomes chan dataplanes.Outcome
	wake     chan struct{}
	// endMirrors cuts copies off that are under way.
	endMirrors context.CancelFunc

	mu sync.Mutex
	// asked holds the last wish of each owner; nil is its removal.
	asked map[ir.Object]*dataplanes.Assignment
	order []ir.Object

	// units and outbox belong to run.
	units  map[ir.Object]*unit
	outbox []dataplanes.Outcome
}

var _ dataplanes.Local = (*local)(nil)

func newLocal(ctx context.Context, opts dataplanes.Options) (*local, error) {
	s := &shared{sessions: filter.NewSessions(randomKey()), place: upstream.Place{Zone: opts.Zone, Node: opts.Node}}
	if opts.AccessLog != nil {
		s.log = accesslog.New(opts.AccessLog)
	}
	s.metrics = admin.NewMetrics(opts.Metrics, s.log.Dropped)
	s.door = &doorkeeper{Metrics: s.metrics}
	mirrors, endMirrors := context.WithCancel(context.WithoutCancel(ctx))
	s.guard = newGuard(mirrors, s.metrics)
	s.mirrors = mirror.New(mirrors, s.metrics.MirrorDropped)
	if opts.Leaving != nil {
		go s.leave(ctx, opts.Leaving)
	}
	l := &local{
		shared: s, outcomes: make(chan dataplanes.Outcome), wake: make(chan struct{}, 1), endMirrors: endMirrors,
		asked: map[ir.Object]*dataplanes.Assignment{}, units: map[ir.Object]*unit{},
	}
	if opts.Admin.Port() == 0 {
		return l, nil
	}
	var err error
	if l.admin, err = admin.Listen(ctx, opts.Admin, s.metrics); err != nil {
		endMirrors()
		return nil, err
	}
	return l, nil
}

// leave waits until clients are to go.
func (s *shared) leave(ctx context.Context, leaving <-chan struct{}) {
	select {
	case <-leaving:
		s.leaving.Store(true)
	case <-ctx.Done():
	}
}

func randomKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // It never fails (Go 1.24).
	return key
}

// Apply takes note of an assignment.
func (l *local) Apply(a dataplanes.Assignment) { l.ask(a.Unit.Proxy.Owner, &a) }

// Remove takes note that an owner has gone.
func (l *local) Remove(owner ir.Object) { l.ask(owner, nil) }

// Outcomes is closed when the proxy has drained.
func (l *local) Outcomes() <-chan dataplanes.Outcome { return l.outcomes }

func (l *local) ask(owner ir.Object, a *dataplanes.Assignment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, waiting := l.asked[owner]; !waiting {
		l.order = append(l.order, owner)
	}
	l.asked[owner] = a
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run does what is asked for until the context ends.
func (l *local) run(ctx context.Context) {
	defer close(l.outcomes)
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		first, out := l.first()
		select {
		case <-ctx.Done():
			l.stop()
			return
		case <-l.wake:
			l.work()
		case <-again.C:
			l.rebind()
		case first <- out:
			l.outbox = l.outbox[1:]
		}
	}
}

// first returns the next outcome and where to send it; nil for none.
func (l *local) first() (chan<- dataplanes.Outcome, dataplanes.Outcome) {
	if len(l.outbox) == 0 {
		return nil, dataplanes.Outcome{}
	}
	return l.outcomes, l.outbox[0]
}

// work does all that was asked since the last time. Removals come first: what
// they leave may be what another unit wants to bind.
func (l *local) work() {
	l.mu.Lock()
	asked, order := l.asked, l.order
	l.asked, l.order = map[ir.Object]*dataplanes.Assignment{}, nil
	l.mu.Unlock()
	for _, owner := range order {
		if asked[owner] == nil {
			l.remove(owner)
		}
	}
	for _, owner := range order {
		if a := asked[owner]; a != nil {
			l.report(l.unit(owner).apply(*a))
		}
	}
	// What one unit gave up in this round, another may have found taken.
	l.rebind()
	l.admin.SetReady(len(l.units) > 0)
}

func (l *local) unit(owner ir.Object) *unit {
	u := l.units[owner]
	if u == nil {
		u = newUnit(l.shared)
		l.units[owner] = u
	}
	return u
}

func (l *local) remove(owner ir.Object) {
	if u := l.units[owner]; u != nil {
		delete(l.units, owner)
		u.stop()
	}
	l.overtake(owner)
}

// rebind tries ports again that other programs had.
func (l *local) rebind() {
	for _, u := range l.units {
		if u.rebind() {
			l.report(u.outcome())
		}
	}
}

// report sends an outcome in the place of an older one that nobody has read.
func (l *local) report(o dataplanes.Outcome) {
	l.overtake(o.Owner)
	l.outbox = append(l.outbox, o)
}

func (l *local) overtake(owner ir.Object) {
	l.outbox = slices.DeleteFunc(l.outbox, func(o dataplanes.Outcome) bool { return o.Owner == owner })
}

// stop drains all units at once, then ends what they share.
func (l *local) stop() {
	l.admin.SetReady(false)
	l.shared.stopping.Store(true)
	for _, owner := range slices.Collect(maps.Keys(l.units)) {
		l.remove(owner)
	}
	l.shared.draining.Wait()
	l.endMirrors()
	l.shared.mirrors.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	l.shared.log.Close(ctx)
	l.admin.Close()
}
