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
	"github.com/sluice-gateway/sluice/dataplanes/agent"
	"github.com/sluice-gateway/sluice/dataplanes/internal/accesslog"
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
	"github.com/sluice-gateway/sluice/dataplanes/internal/filter"
	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
	"github.com/sluice-gateway/sluice/dataplanes/internal/mirror"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
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
	*agent.Wishes
	shared *shared
	admin  *admin.Server
	outbox *agent.Outbox
	// endMirrors cuts copies off that are under way.
	endMirrors context.CancelFunc
	// units belong to run.
	units map[ir.Object]*unit
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
		Wishes: agent.NewWishes(), shared: s, outbox: agent.NewOutbox(), endMirrors: endMirrors, units: map[ir.Object]*unit{},
	}
	if opts.Admin.Port() == 0 {
		return l, nil
	}
	var err error
	if l.admin, err = admin.Listen(ctx, opts.Admin, "go", s.metrics); err != nil {
		endMirrors()
		l.outbox.Close()
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

// Outcomes is closed when the proxy has drained.
func (l *local) Outcomes() <-chan dataplanes.Outcome { return l.outbox.Outcomes() }

// run does what is asked for until the context ends.
func (l *local) run(ctx context.Context) {
	defer l.outbox.Close()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			l.stop()
			return
		case <-l.Wake():
			l.work()
		case <-again.C:
			l.rebind()
		}
	}
}

// work does all that was asked since the last time.
func (l *local) work() {
	for _, wish := range l.Take() {
		if a := wish.Assignment; a != nil {
			outcome := l.unit(wish.Owner).apply(*a)
			// Whoever reads the outcome finds the proxy ready.
			l.admin.SetReady(true)
			l.outbox.Report(outcome)
		} else {
			l.remove(wish.Owner)
			l.admin.SetReady(len(l.units) > 0)
		}
	}
	// What one unit gave up in this round, another may have found taken.
	l.rebind()
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
	l.outbox.Drop(owner)
}

// rebind tries ports again that other programs had.
func (l *local) rebind() {
	for _, u := range l.units {
		if u.rebind() {
			l.outbox.Report(u.outcome())
		}
	}
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
