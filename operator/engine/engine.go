package engine

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
)

// FrontEnd turns objects of a Set into units. It is pure, and the engine's
// goroutine alone calls it.
type FrontEnd interface {
	// Touched says which units a batch of changed facts concerns.
	Touched([]resources.Fact) gatewayapi.Touched
	// Translate makes one unit.
	Translate(owner ir.Object) gatewayapi.Output
	// Endpoints are those of the unit's last translation, as they are now.
	Endpoints(owner ir.Object) []*ir.Endpoints
	// Units are the owners that the front end translates, ordered.
	Units() []ir.Object
	// Classes are the reports about GatewayClasses.
	Classes() []*findings.Report
	// Reads reports whether anything that is kept rests on an object.
	Reads(resources.Key) bool
}

// Sink takes the status of everything.
type Sink interface {
	// Publish is called by one goroutine, whenever something may have changed.
	// What it is given is immutable.
	Publish(Snapshot)
}

// Options are the parts that an engine joins.
type Options struct {
	Source source.Source
	// FrontEnds read the Set that they are made for.
	FrontEnds func(*resources.Set) []FrontEnd
	// Indexes are those that the front ends need.
	Indexes []resources.Index
	// Dataplanes serve the units of their controllerName. One is started when
	// the first unit needs it. Without any, nothing is served: units are
	// translated and reported alone.
	Dataplanes map[gatewayv1.GatewayController]dataplanes.Dataplane
	// Fleet runs the units of every controllerName as pods, in the place of
	// Dataplanes; nil is this machine.
	Fleet Fleet
	// Leading is closed when this engine's word begins to count: every unit has its
	// time to answer from then on. Fleet says nothing before it leads. nil is from
	// the start.
	Leading <-chan struct{}
	Sink    Sink
	// Classless is told once of a unit whose class has gone, and which stays as it
	// was; nil is nobody.
	Classless func(owner ir.Object)
	// Bind is the address that listeners bind. Default: 127.0.0.1.
	Bind netip.Addr
	// PortOffset is added to the port of every listener.
	PortOffset int
	// Local is passed on to the dataplanes.
	Local dataplanes.Options
	// Resolve looks DNS names of ExternalName Services up; nil leaves them
	// unresolved.
	Resolve Resolve
	// Unclaimed are the controllerNames to tell those whose Gateway nobody looks
	// after. With any, everything is looked at that is attached to nothing here.
	Unclaimed []gatewayv1.GatewayController
	// Clock is what time-outs go by. Default: this machine's.
	Clock Clock
}

// Counters count what an engine did, for tests and metrics.
type Counters struct {
	Rounds       atomic.Int64
	Translations atomic.Int64
	// Assignments are units sent because their content changed,
	// EndpointUpdates those of which nothing but endpoints did.
	Assignments     atomic.Int64
	EndpointUpdates atomic.Int64
}

// Engine is the loop. Make one with New.
type Engine struct {
	opts     Options
	Counters Counters

	set    *resources.Set
	fronts []FrontEnd
	units  map[ir.Object]*unit
	// pending are the owners whose last translation waits for something.
	pending   map[ir.Object]struct{}
	classes   map[int][]*findings.Report
	unclaimed []Unclaimed
	// contents are the objects whose content a lazy source keeps.
	contents map[resources.Key]struct{}
	claimed  claims
	// led is true once this engine's word counts.
	led bool
	// whole is true once the fleet was told that it knows all.
	whole     bool
	addresses *addresses
	resolver  *resolver

	// told is when the last snapshot was taken, and last whether it was complete.
	told time.Time
	last bool

	inbox    *mailbox[source.Batch]
	outcomes *mailbox[dataplanes.Outcome]
	locals   map[gatewayv1.GatewayController]host
	failed   map[gatewayv1.GatewayController]error
	// draining holds what must have ended before Run returns: the source and the
	// outcomes of the dataplanes.
	draining sync.WaitGroup
}

// New returns an engine that has not begun.
func New(opts Options) *Engine {
	if !opts.Bind.IsValid() {
		opts.Bind = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if opts.Clock.Now == nil {
		opts.Clock = Clock{Now: time.Now, At: func(t time.Time) <-chan time.Time { return time.After(time.Until(t)) }}
	}
	e := &Engine{
		opts:      opts,
		set:       resources.NewSet(opts.Indexes...),
		units:     map[ir.Object]*unit{},
		pending:   map[ir.Object]struct{}{},
		contents:  map[resources.Key]struct{}{},
		classes:   map[int][]*findings.Report{},
		claimed:   claims{by: map[resources.Key]int{}},
		addresses: newAddresses(opts.Bind),
		inbox:     newMailbox[source.Batch](),
		outcomes:  newMailbox[dataplanes.Outcome](),
		locals:    map[gatewayv1.GatewayController]host{},
		failed:    map[gatewayv1.GatewayController]error{},
		led:       opts.Leading == nil,
	}
	for _, kind := range opts.Source.Kinds() {
		e.set.SetPending(kind, true)
	}
	e.fronts = opts.FrontEnds(e.set)
	e.resolver = newResolver(opts.Resolve, e.inbox.put)
	return e
}

// Run serves until the context ends, then waits until the dataplanes have
// drained. It returns the source's error, where that ends first with one. A
// source that ends without an error leaves the engine serving; where there is
// nothing to serve, the engine ends with it.
func (e *Engine) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer e.draining.Wait()
	defer e.resolver.stop()
	defer cancel()
	ended := make(chan error, 1)
	e.draining.Go(func() { ended <- e.opts.Source.Run(ctx, e.inbox.put) })
	e.muster()
	var alarm <-chan time.Time
	leading := e.opts.Leading
	for running := ended; ; alarm = e.next() {
		select {
		case <-ctx.Done():
			return nil
		case <-leading:
			leading = nil
			e.lead()
		case <-e.inbox.filled:
			e.round(ctx, e.inbox.take())
		case <-e.outcomes.filled:
			e.settle(e.outcomes.take())
		case <-alarm:
			e.publish()
		case err := <-running:
			running = nil
			if err != nil || e.idle() {
				e.round(ctx, e.inbox.take())
				return err
			}
		}
	}
}

// round takes gathered batches in and brings everything to where they lead. What
// concerns nobody here is not told.
func (e *Engine) round(ctx context.Context, batches []source.Batch) {
	if len(batches) == 0 {
		return
	}
	e.Counters.Rounds.Add(1)
	facts := e.apply(batches)
	news := e.told.IsZero() || e.settled() != e.last
	for i, front := range e.fronts {
		touched := front.Touched(facts)
		if touched.Classes {
			e.classes[i] = front.Classes()
		}
		for _, owner := range touched.Units {
			e.translate(ctx, front, owner)
		}
		for _, owner := range touched.Endpoints {
			e.refresh(front, owner)
		}
		news = news || touched.Classes || len(touched.Units)+len(touched.Endpoints) > 0
	}
	e.want()
	e.forget(facts)
	news = e.unclaim(facts) || news
	e.resolver.want(ctx, e.names())
	e.complete()
	if news {
		e.publish()
	}
}

func (e *Engine) apply(batches []source.Batch) []resources.Fact {
	var events []resources.Event
	var facts []resources.Fact
	for _, b := range batches {
		events = append(events, b.Events...)
		for _, kind := range b.Listed {
			facts = append(facts, e.set.SetPending(kind, false)...)
		}
	}
	return append(facts, e.set.Apply(events)...)
}

func (e *Engine) names() []string {
	var names []string
	for _, u := range e.units {
		names = append(names, u.output.Names...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
