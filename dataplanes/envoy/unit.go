package envoy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/agent/verdict"
	"github.com/sluice-gateway/sluice/dataplanes/envoy/ads"
	"github.com/sluice-gateway/sluice/dataplanes/envoy/record"
	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/envoy"
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
	// assigned is what is to be in force.
	assigned *dataplanes.Assignment
	verdicts *verdict.Verdicts
	record   *record.Unit
	// last is what was translated last, good what Envoy took last.
	last *translator.Config
	good good
	// unbound are listeners whose sockets cannot be had, lost those that Envoy could
	// not bind though they were free.
	unbound, lost map[string]error
	// leaving is since when resources are there that nobody names.
	leaving [6]map[string]time.Time
	// trail is what requests are known again by.
	trail string
	// ownKey is the session key where none was given.
	ownKey ir.Secret
	// failed is true where the assignment is to be tried again.
	failed bool
}

// good is what Envoy took as a whole.
type good struct {
	config  *translator.Config
	version string
	rules   map[*ir.Rule]bool
}

func startUnit(l *local, owner ir.Object) *unit {
	ctx, cancel := context.WithCancel(context.Background())
	u := &unit{local: l, owner: owner, cancel: cancel, done: make(chan struct{}), wake: make(chan struct{}, 1), verdicts: verdict.None(), record: record.NewUnit(l.records.Metrics, l.records.Log)}
	u.trail = "sluice-" + strings.ToLower(rand.Text())
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

// overtaken reports whether another wish waits.
func (u *unit) overtaken() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.asked != nil
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
			u.askToLeave(ctx)
		case <-u.fell():
			u.record.Fell()
			u.local.outbox.Report(u.down())
			u.work(ctx)
			u.askToLeave(ctx)
		case <-again.C:
			u.tend(ctx)
		}
	}
}

// fell receives when the process has ended by itself.
func (u *unit) fell() <-chan struct{} {
	if u.process == nil {
		return nil
	}
	return u.process.child.Ended()
}

// work puts what is assigned in force, and reports what became of it.
func (u *unit) work(ctx context.Context) {
	out, err := u.guarded(ctx)
	if ctx.Err() != nil || errors.Is(err, errOvertaken) {
		return
	}
	u.failed = err != nil
	if err != nil {
		out = u.everywhere(err.Error())
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
			err = fmt.Errorf("the unit cannot be written for Envoy, which is a mistake in this program: %s", clean(fmt.Sprint(r)))
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
	said := u.process.said.Worst()
	if said != "" {
		said = ". The last that it said: " + clean(said)
	}
	out := u.everywhere(fmt.Sprintf("Envoy has ended (%v) and is being started again; until then nothing is served%s", err, said))
	out.Down = true
	return out
}

// tend does what time asks for: what could not be bound is tried again, and what
// nobody names any more goes.
func (u *unit) tend(ctx context.Context) {
	if u.assigned == nil {
		return
	}
	if u.failed || len(u.unbound)+len(u.lost) > 0 {
		before := len(u.unbound) + len(u.lost)
		u.lost = nil
		failed := u.failed
		out, err := u.guarded(ctx)
		if err == nil && (failed || len(u.unbound)+len(u.lost) != before) {
			u.failed = false
			u.local.outbox.Report(out)
		}
	}
	u.sweep(time.Now())
}

func (u *unit) target() translator.Target {
	to := translator.Target{
		Address: u.assigned.Address, PortOffset: u.assigned.PortOffset, Zone: u.local.opts.Zone, Node: u.local.opts.Node,
		Trail: u.trail,
	}
	if u.process != nil {
		to.SystemCAs = u.process.files.systemCAs()
	}
	return to
}

// launch says how this unit's Envoy is started.
func (u *unit) launch() (launch, error) {
	path, err := u.local.program.Find()
	l := launch{
		// What bounds this program bounds Envoy beside it: threads that take turns on
		// a processor cost more for each request.
		threads: runtime.GOMAXPROCS(0),
		program: path, node: u.owner.Kind + "/" + u.owner.Namespace + "/" + u.owner.Name,
		locality: &corev3.Locality{Zone: u.local.opts.Zone}, dir: u.local.opts.Dir, allowed: allowedHere(),
		drain: time.Duration(u.assigned.Unit.Proxy.Settings.Timeouts.Drain),
	}
	l.lines = u.record
	return l, err
}

// start starts the process, unless it runs.
func (u *unit) start() error {
	if u.process != nil {
		return u.process.keepSessionKey(u.sessionKey())
	}
	l, err := u.launch()
	if err != nil {
		return err
	}
	if u.process, err = startProcess(l); err != nil {
		return err
	}
	u.running.Store(u.process)
	for kind := range u.leaving {
		u.leaving[kind] = map[string]time.Time{}
	}
	return u.process.keepSessionKey(u.sessionKey())
}

// resourcesOf returns those of a kind.
func resourcesOf(c *translator.Config, kind ads.Kind) []*translator.Resource {
	switch kind {
	case ads.Secrets:
		return c.Secrets
	case ads.Endpoints:
		return c.Endpoints
	case ads.Clusters:
		return c.Clusters
	case ads.Listeners:
		return c.Listeners
	case ads.Runtimes:
		return c.Runtimes
	case ads.Filters:
		return c.Filters
	default:
		return c.Routes
	}
}

// originsOf returns what a resource was made from.
func originsOf(c *translator.Config, kind ads.Kind, name string) []ir.Origin {
	for _, r := range resourcesOf(c, kind) {
		if r.Name == name {
			return r.Origins
		}
	}
	return nil
}
