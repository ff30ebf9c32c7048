package haproxy

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/agent/ports"
	"github.com/sluice-gateway/sluice/dataplanes/agent/verdict"
	"github.com/sluice-gateway/sluice/dataplanes/haproxy/detour"
	"github.com/sluice-gateway/sluice/dataplanes/internal/trail"
	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// unit serves one owner with a process of its own.
type unit struct {
	local *local
	owner ir.Object

	cancel context.CancelFunc
	done   chan struct{}

	mu sync.Mutex
	// asked is the last wish that is not under way yet.
	asked *dataplanes.Assignment
	wake  chan struct{}
	// running is the process as others see it.
	running atomic.Pointer[process]

	// What follows belongs to run.
	process *process
	// agent serves what HAProxy cannot; nil where there is no process.
	agent *detour.Agent
	// assigned is what is to be in force.
	assigned *dataplanes.Assignment
	// last is what was translated last.
	last     *translator.Config
	verdicts *verdict.Verdicts
	// good is what is in force.
	good good
	// unbound are sockets that cannot be had, lost those that HAProxy could not bind
	// though they were free.
	unbound map[bound]error
	lost    map[ports.Socket]error
	// trail is what requests are known again by.
	trail trail.Trail
	// asking is since when clients are asked to go, left since when those of HTTP/2 are.
	asking, left time.Time
	// ownKey is the session key where none was given.
	ownKey ir.Secret
	// failed is true where the assignment is to be tried again.
	failed bool
}

func startUnit(l *local, owner ir.Object) *unit {
	ctx, cancel := context.WithCancel(context.Background())
	u := &unit{local: l, owner: owner, cancel: cancel, done: make(chan struct{}), wake: make(chan struct{}, 1), verdicts: verdict.None(), lost: map[ports.Socket]error{}, trail: trail.New()}
	go u.run(ctx)
	return u
}

// apply takes note of an assignment; one that is not under way yet is forgotten.
func (u *unit) apply(a *dataplanes.Assignment) {
	u.mu.Lock()
	u.asked = a
	u.mu.Unlock()
	u.hurry()
}

// hurry has the unit look what there is to do.
func (u *unit) hurry() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// stop drains, and waits until the process has gone.
func (u *unit) stop() {
	u.cancel()
	<-u.done
}

func (u *unit) take() *dataplanes.Assignment {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.asked
	u.asked = nil
	return a
}

func (u *unit) run(ctx context.Context) {
	defer close(u.done)
	defer u.end()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-u.wake:
			if a := u.take(); a != nil {
				u.assigned = a
				u.work(ctx)
			}
			u.askToLeave(ctx, time.Now())
		case <-u.fell():
			u.local.outbox.Report(u.down())
			u.process.runs = nil
			u.work(ctx)
		case <-again.C:
			u.tend(ctx)
			u.askToLeave(ctx, time.Now())
		}
	}
}

// tend does what time asks for: servers that have nothing to do any more go, and what
// was to no avail is tried again.
func (u *unit) tend(ctx context.Context) {
	if u.process != nil {
		u.process.dismiss(ctx)
		u.process.crowded = u.process.crowded && u.process.release(ctx)
	}
	switch {
	case u.assigned == nil:
	case u.failed:
		u.lost = map[ports.Socket]error{}
		u.work(ctx)
	case len(u.unbound) > 0:
		u.rebind(ctx)
	case u.agent != nil && u.agent.Rebind():
		u.local.outbox.Report(u.outcome())
	}
}

// rebind tries to have the sockets that could not be had.
func (u *unit) rebind(ctx context.Context) {
	before := len(u.unbound)
	u.lost = map[ports.Socket]error{}
	out, err := u.guarded(ctx)
	u.failed = err != nil
	if err == nil && len(u.unbound) != before {
		u.local.outbox.Report(out)
	}
}

// fell receives when the process has ended by itself.
func (u *unit) fell() <-chan struct{} {
	if u.process == nil || u.process.child == nil {
		return nil
	}
	return u.process.child.Ended()
}

// work puts what is assigned in force, and reports what became of it.
func (u *unit) work(ctx context.Context) {
	out, err := u.guarded(ctx)
	if ctx.Err() != nil {
		return
	}
	u.failed = err != nil
	if err != nil {
		out = u.everywhere(err.Error())
		out.Down = out.Down || !u.process.serves(ctx)
	}
	// Whoever reads the outcome finds the proxy ready.
	u.local.admin.SetReady(true)
	u.local.outbox.Report(out)
}

// guarded keeps a mistake of ours about one unit from those of all others.
func (u *unit) guarded(ctx context.Context) (out dataplanes.Outcome, err error) {
	defer func() {
		if r := recover(); r != nil {
			u.last = nil
			err = fmt.Errorf("the unit cannot be written for HAProxy, which is a mistake in this program: %s", clean(fmt.Sprint(r)))
		}
	}()
	return u.force(ctx)
}

// everywhere says the same of every listener.
func (u *unit) everywhere(message string) dataplanes.Outcome {
	out := dataplanes.Outcome{Owner: u.owner, Version: u.assigned.Version, Down: u.good.config == nil}
	for _, l := range u.assigned.Unit.Proxy.Listeners {
		out.Problems = append(out.Problems, ir.Problem{Origin: verdict.OriginOf(l), Message: message})
	}
	return out
}

// down is what is true while the process is started again.
func (u *unit) down() dataplanes.Outcome {
	_, err := u.process.child.Starts()
	said := ""
	if all := alerts(u.process.said.String()); len(all) > 0 {
		said = ". The last that it said: " + clean(all[len(all)-1])
	}
	out := u.everywhere(fmt.Sprintf("HAProxy has ended (%v) and is being started again; until then nothing is served%s", err, said))
	out.Down = true
	return out
}

// mostThreads is the most that HAProxy has in one group.
const mostThreads = 64

func (u *unit) target() translator.Target {
	return translator.Target{
		Address: u.assigned.Address, PortOffset: u.assigned.PortOffset, Zone: u.local.opts.Zone, Node: u.local.opts.Node,
		Trail: string(u.trail),
		// What bounds this program bounds HAProxy beside it: threads that take turns on
		// a processor cost more for each request.
		Threads: min(runtime.GOMAXPROCS(0), mostThreads),
	}
}
