package fleet

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/server"
	"github.com/sluice-gateway/sluice/dataplanes/provision"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/engine"
)

// patience is how long pods that Kubernetes calls ready may take to say what
// they run, before their unit is judged without them.
const patience = 10 * time.Second

// Provisioning keeps the objects that units run in: *provision.Provisioner.
type Provisioning interface {
	Ensure(provision.Input)
	Remove(owner ir.Object)
	Sweep(keep []ir.Object)
	State(owner ir.Object) (provision.State, bool)
}

// Delivery hands units to their pods: *server.Server.
type Delivery interface {
	Set(server.Set)
	Remove(owner ir.Object)
}

var (
	_ Provisioning = (*provision.Provisioner)(nil)
	_ Delivery     = (*server.Server)(nil)
)

// Options are what a fleet joins.
type Options struct {
	// SessionKey is what the tokens of sticky sessions of a unit are made with.
	SessionKey func(owner ir.Object) ir.Secret
	// Now is the time. Default: this machine's.
	Now func() time.Time
}

// Fleet is the pods of all units. Report and Changed are for its parts to call,
// from any goroutine.
type Fleet struct {
	opts         Options
	provisioning Provisioning
	delivery     Delivery
	outcomes     chan dataplanes.Outcome
	wake         chan struct{}

	mu    sync.Mutex
	crews map[ir.Object]*crew
	// led is true once there is somebody whom pods answer.
	led bool
	// stale are owners whose outcome may have changed.
	stale map[ir.Object]struct{}
}

var _ engine.Fleet = (*Fleet)(nil)

// crew is what is known of one unit's pods.
type crew struct {
	order engine.Order
	// since is when the first order came that pods may answer.
	since time.Time
	// reports are by the UID of the pod, and moved is since when each one has run
	// something else than it is to.
	reports map[string]server.Report
	moved   map[string]time.Time
	// told is the last outcome that was sent; nil while none was.
	told *dataplanes.Outcome
}

// New returns a fleet without units. Join it with its parts before it runs.
func New(opts Options) *Fleet {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Fleet{
		opts: opts, outcomes: make(chan dataplanes.Outcome), wake: make(chan struct{}, 1),
		crews: map[ir.Object]*crew{}, stale: map[ir.Object]struct{}{},
	}
}

// Join says who provisions and who delivers.
func (f *Fleet) Join(p Provisioning, d Delivery) { f.provisioning, f.delivery = p, d }

// Outcomes implements engine.Fleet. It is closed when Run ends.
func (f *Fleet) Outcomes() <-chan dataplanes.Outcome { return f.outcomes }

// Apply implements engine.Fleet.
func (f *Fleet) Apply(o engine.Order) {
	owner := o.Unit.Proxy.Owner
	if f.note(owner, o) {
		f.provisioning.Ensure(inputOf(&o))
	}
	f.delivery.Set(server.Set{Unit: o.Unit, Version: o.Version, SessionKey: f.opts.SessionKey(owner)})
	f.Changed(owner)
}

// note takes an order down, and says whether it asks for other objects than the
// one before may have.
func (f *Fleet) note(owner ir.Object, o engine.Order) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.crews[owner]
	if c == nil {
		c = &crew{since: f.opts.Now(), reports: map[string]server.Report{}, moved: map[string]time.Time{}}
		f.crews[owner] = c
	}
	last := c.order
	c.order = o
	for uid, r := range c.reports {
		if r.Version == last.Version {
			c.moved[uid] = f.opts.Now()
		}
	}
	return last.Unit == nil || last.Unit.Proxy != o.Unit.Proxy || last.Controller != o.Controller || last.Infrastructure != o.Infrastructure
}

// Remove implements engine.Fleet.
func (f *Fleet) Remove(owner ir.Object) {
	f.mu.Lock()
	delete(f.crews, owner)
	f.mu.Unlock()
	f.delivery.Remove(owner)
	f.provisioning.Remove(owner)
}

// Complete implements engine.Fleet.
func (f *Fleet) Complete(owners []ir.Object) { f.provisioning.Sweep(owners) }

// Lead implements engine.Fleet. Every unit has its time to answer from now on:
// pods speak to who leads alone, so before that nobody can say what they run.
func (f *Fleet) Lead() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.led = true
	for owner, c := range f.crews {
		c.since, c.told = f.opts.Now(), nil
		clear(c.moved)
		f.stale[owner] = struct{}{}
	}
	f.rouse()
}

// Report takes what a pod says of itself.
func (f *Fleet) Report(r server.Report) {
	f.mu.Lock()
	if c := f.crews[r.Owner]; c != nil {
		if last, heard := c.reports[r.Pod.UID]; !heard || last.Version != r.Version {
			c.moved[r.Pod.UID] = f.opts.Now()
		}
		c.reports[r.Pod.UID] = r
	}
	f.mu.Unlock()
	f.Changed(r.Owner)
}

// Changed says that the objects or the pods of a unit may have changed.
func (f *Fleet) Changed(owner ir.Object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stale[owner] = struct{}{}
	f.rouse()
}

func (f *Fleet) rouse() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Run says what becomes of units until the context ends.
func (f *Fleet) Run(ctx context.Context) error {
	defer close(f.outcomes)
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		for _, o := range f.judgeStale() {
			select {
			case f.outcomes <- o:
			case <-ctx.Done():
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		case <-again.C:
			f.impatient()
		}
	}
}

// impatient looks again at units that were not judged yet, or whose pods may have
// been behind for too long by now.
func (f *Fleet) impatient() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for owner, c := range f.crews {
		if c.told == nil || c.told.Reach.Behind != "" && !c.told.Reach.Stuck {
			f.stale[owner] = struct{}{}
		}
	}
}

// judgeStale returns the outcomes that have changed. What Kubernetes says is
// asked for without the lock, as whoever keeps it calls Changed.
func (f *Fleet) judgeStale() []dataplanes.Outcome {
	var news []dataplanes.Outcome
	for _, owner := range f.takeStale() {
		state, known := f.provisioning.State(owner)
		if !known {
			continue
		}
		if o := f.judge(owner, state); o != nil {
			news = append(news, *o)
		}
	}
	return news
}

func (f *Fleet) takeStale() []ir.Object {
	f.mu.Lock()
	defer f.mu.Unlock()
	owners := slices.Collect(maps.Keys(f.stale))
	clear(f.stale)
	return owners
}

// judge returns the outcome of a unit where it has changed; else nil.
func (f *Fleet) judge(owner ir.Object, state provision.State) *dataplanes.Outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.crews[owner]
	if c == nil || !f.led {
		return nil
	}
	o, known := c.judge(state, f.opts.Now())
	if !known || c.told != nil && reflect.DeepEqual(*c.told, o) {
		return nil
	}
	c.told = &o
	return &o
}

func inputOf(o *engine.Order) provision.Input {
	asked := o.Infrastructure
	var stay []provision.Port
	for _, p := range asked.Ports {
		transport := corev1.ProtocolTCP
		if p.UDP {
			transport = corev1.ProtocolUDP
		}
		stay = append(stay, provision.Port{Number: p.Number, Protocol: transport})
	}
	return provision.Input{
		Owner: o.Unit.Proxy.Owner, UID: asked.UID, Class: asked.Class, Controller: string(o.Controller),
		Labels: asked.Labels, Annotations: asked.Annotations, Addresses: asked.Addresses,
		Ports: provision.Ports(o.Unit.Proxy, stay...), Service: asked.Service, Pods: asked.Pods, Drain: asked.Drain,
	}
}
