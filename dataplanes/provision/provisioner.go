package provision

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
)

// Options are what a Provisioner works with. All are required but for Agents and
// Log.
type Options struct {
	// Client reads from the API server and never from a cache: it is asked where
	// the cache knows nothing, before anything is made.
	Client client.Client
	// Cache has what is provisioned, and the nodes; see CacheOptions. Who made it
	// starts it.
	Cache cache.Cache
	// Image and Agents are a Site's.
	Image  string
	Agents map[string]Agent
	// Delivery is where proxies find the operator: "host:port".
	Delivery string
	// CA returns the PEM bundle that proxies verify the operator with. Renew says
	// that it is another.
	CA func() []byte
	// Changed is told of an owner whose State may differ. It must not block.
	Changed func(owner ir.Object)
	Log     logr.Logger
}

// State is what there is to say of a unit's objects.
type State struct {
	// Addresses are those at which clients reach the unit, at most 16.
	Addresses []dataplanes.Address
	// Lack is what keeps clients from being served, as far as it can be seen from
	// the objects; nil where nothing does.
	Lack *dataplanes.Lack
	// Remark is why a pod does not come up while others serve; empty where all do.
	Remark string
	// Ready are the pods that are ready and not about to end, ordered by name.
	Ready []Pod
	// Ports are what there is to say of listeners' ports: "node port 30080".
	Ports map[uint16]string
}

// Pod names a pod.
type Pod struct {
	Namespace, Name string
	UID             types.UID
}

// Provisioner keeps the objects of units in a cluster.
type Provisioner struct {
	opts  Options
	queue workqueue.TypedRateLimitingInterface[ir.Object]

	mu    sync.Mutex
	units map[ir.Object]*unit
	// owners are the units' owners by what their objects are found by.
	owners map[mark]ir.Object
	sweep  chan []ir.Object
}

// unit is what is known of one owner. It outlives the unit's end, so that what
// was still under way then is found and taken away too.
type unit struct {
	input   Input
	removed bool
	// corrected is when somebody else's change was last undone.
	corrected time.Time
	// known is true once state was seen.
	known bool
	state State
}

// workers are few: what they do is wait for the API server.
const workers = 4

// New returns a Provisioner, which watches from now on and writes once it runs.
func New(opts Options) (*Provisioner, error) {
	p := &Provisioner{
		opts: opts,
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[ir.Object](200*time.Millisecond, 30*time.Second)),
		units:  map[ir.Object]*unit{},
		owners: map[mark]ir.Object{},
		sweep:  make(chan []ir.Object, 1),
	}
	if err := p.watch(); err != nil {
		return nil, fmt.Errorf("watch what is provisioned: %w", err)
	}
	return p, nil
}

// Run works until the context ends, and returns once nothing is under way. One
// process of a cluster may run at a time.
func (p *Provisioner) Run(ctx context.Context) error {
	if !p.opts.Cache.WaitForCacheSync(ctx) && ctx.Err() == nil {
		return errors.New("the cache of provisioned objects was stopped before it was filled")
	}
	var under sync.WaitGroup
	for range workers {
		under.Go(func() { p.work(ctx) })
	}
	under.Go(func() { p.sweepAll(ctx) })
	<-ctx.Done()
	p.queue.ShutDown()
	under.Wait()
	return nil
}

// Ensure takes note of what a unit is to have. The last note of an owner counts.
func (p *Provisioner) Ensure(in Input) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.units[in.Owner]
	if u == nil {
		u = &unit{}
		p.units[in.Owner] = u
		p.owners[markOf(in.Owner)] = in.Owner
	} else if !u.removed && equality.Semantic.DeepEqual(u.input, in) {
		return
	}
	u.input, u.removed = in, false
	p.queue.Add(in.Owner)
}

// Remove takes note that a unit is to have nothing any more.
func (p *Provisioner) Remove(owner ir.Object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(owner)
}

// abandon removes a unit of which nobody has said anything. What is to be kept
// was noted when everything was known first, which was long before this process
// leads; what was asked for since then is to be kept too.
func (p *Provisioner) abandon(owner ir.Object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.units[owner] == nil {
		p.remove(owner)
	}
}

func (p *Provisioner) remove(owner ir.Object) {
	u := p.units[owner]
	if u == nil {
		u = &unit{}
		p.units[owner] = u
		p.owners[markOf(owner)] = owner
	}
	u.removed, u.known, u.state = true, false, State{}
	u.input = Input{Owner: owner}
	p.queue.Add(owner)
}

// Sweep removes the units that were provisioned before and whose owner is not in
// keep, unless anything was asked for them: they ceased to be ours while nobody
// was looking.
func (p *Provisioner) Sweep(keep []ir.Object) {
	select {
	case <-p.sweep:
	default:
	}
	p.sweep <- slices.Clone(keep)
}

// Renew gives every unit the CA bundle of now.
func (p *Provisioner) Renew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for owner := range p.units {
		p.queue.Add(owner)
	}
}

// State is what was last seen of a unit; nothing for one that is not known, or
// that nobody has worked on yet.
func (p *Provisioner) State(owner ir.Object) (State, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.units[owner]
	if u == nil || !u.known {
		return State{}, false
	}
	return u.state, true
}

// put takes down a unit's state, unless its input is another by now.
func (p *Provisioner) put(u *unit, in *Input, state State) {
	p.mu.Lock()
	stale := u.removed || u.input.UID != in.UID
	same := u.known && reflect.DeepEqual(u.state, state)
	before := u.state.trouble()
	if !stale && !same {
		u.state, u.known = state, true
	}
	p.mu.Unlock()
	if stale || same {
		return
	}
	if now := state.trouble(); now != before {
		p.tell(in.Owner, now)
	}
	p.opts.Changed(in.Owner)
}

// trouble is what somebody should look at; empty where nothing is.
func (s *State) trouble() string {
	if s.Lack != nil {
		return s.Lack.Message
	}
	return s.Remark
}

func (p *Provisioner) tell(owner ir.Object, trouble string) {
	unit := describe(owner.Kind, owner.Namespace, owner.Name)
	if trouble == "" {
		p.opts.Log.Info("has all that it needs", "unit", unit)
		return
	}
	p.opts.Log.Info("does not have all that it needs", "unit", unit, "why", trouble)
}

func (p *Provisioner) site() *Site {
	return &Site{Image: p.opts.Image, Agents: p.opts.Agents, Delivery: p.opts.Delivery, CA: p.opts.CA()}
}
