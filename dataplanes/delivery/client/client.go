package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
)

// Options are what a client is made of.
type Options struct {
	// Unit is what this pod was made for, and Pod its name.
	Unit ir.Object
	Pod  string
	// Operator is "host:port"; the host is also what the operator's certificate
	// must be for. All of its addresses are tried.
	Operator string
	// TokenFile is read for every stream, CAFile for every connection.
	TokenFile, CAFile string
	// StateDir is where the last good set is kept; empty keeps none.
	StateDir string
	// Node is used where the operator does not say.
	Node string
	// Program is this program's version, for people.
	Program  string
	Features feature.Set
	// Start starts the proxy, once, when there is a first set for it.
	Start func(ctx context.Context, zone, node string) (dataplanes.Local, error)
	// Address is the one that listeners bind.
	Address netip.Addr
	// Serves is called with every news of the proxy's, and says whether it serves a
	// set.
	Serves func(bool)
	// Draining is closed when the pod is about to end; nil is never.
	Draining <-chan struct{}
	Log      logr.Logger
	// Metrics may be nil.
	Metrics prometheus.Registerer
	// Lookup resolves the operator's host. Default: this machine's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Times are for tests; zero values are the defaults.
	Times Times
}

// Times are the bounds of the client.
type Times struct {
	// Welcome bounds a connection up to the operator's first message. Default: 4 s.
	Welcome time.Duration
	// Silence is how long the operator may say nothing. Default: wire.Silence.
	Silence time.Duration
	// OlderTerm is for how long a newer leader is looked for before one of an older
	// term is listened to. Default: 30 s, twice the lease of a leader.
	OlderTerm time.Duration
	// Refused is the least wait after a refusal, which doubles up to 30 s.
	// Default: 1 s.
	Refused time.Duration
}

func (t Times) filled() Times {
	for value, fallback := range map[*time.Duration]time.Duration{
		&t.Welcome: 4 * time.Second, &t.Silence: wire.Silence, &t.OlderTerm: 30 * time.Second, &t.Refused: time.Second,
	} {
		if *value == 0 {
			*value = fallback
		}
	}
	return t
}

// client is one pod's end.
type client struct {
	opts   Options
	times  Times
	host   string
	port   uint16
	counts *counts
	// failed ends Run: the proxy cannot start.
	failed chan error
	// changed says that there is another state to report, dirty that there is
	// another set to keep.
	changed, dirty chan struct{}

	mu    sync.Mutex
	place place
	term  uint64
	// older is since when there were only leaders of an older term.
	older time.Time
	held  *set
	// link numbers streams; what was pushed on one before is push 0 of this one.
	link    uint64
	state   wire.State
	local   dataplanes.Local
	applied []*applied
	active  *applied
	count   uint64
	hearing sync.WaitGroup
}

// place is where the pod runs.
type place struct{ Zone, Node string }

// applied is a set that the proxy was given.
type applied struct {
	number uint64
	link   uint64
	seq    uint64
	set    *set
	at     time.Time
}

// Run serves until the context ends, and then until the proxy has drained. Its
// error is about options, or a proxy that cannot start.
func Run(ctx context.Context, opts Options) error {
	c, err := newClient(opts)
	if err != nil {
		return err
	}
	var work sync.WaitGroup
	defer c.hearing.Wait()
	// The stream outlives the context: it reports what drains.
	linked, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer work.Wait()
	defer cut()
	c.restore(ctx)
	work.Go(func() { c.connect(ctx, linked) })
	work.Go(func() { c.save(linked) })
	select {
	case err = <-c.failed:
	case <-ctx.Done():
	}
	c.hearing.Wait()
	return err
}

func newClient(opts Options) (*client, error) {
	host, portText, err := net.SplitHostPort(opts.Operator)
	port, portErr := strconv.ParseUint(portText, 10, 16)
	if err != nil || portErr != nil || host == "" || port == 0 {
		return nil, fmt.Errorf("the operator's address is %q: want host:port, such as sluice-operator.sluice-system.svc:9443", opts.Operator)
	}
	if opts.Lookup == nil {
		opts.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	return &client{
		opts: opts, times: opts.Times.filled(), host: host, port: uint16(port), counts: newCounts(opts.Metrics),
		failed: make(chan error, 1), changed: make(chan struct{}, 1), dirty: make(chan struct{}, 1),
		held: &set{}, place: place{Node: opts.Node},
	}, nil
}

// apply hands a set to the proxy, which is started for the first one.
func (c *client) apply(ctx context.Context, next *set, seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = next
	// A proxy that drains takes nothing more: what it was given then would be kept
	// until it has drained.
	if ctx.Err() != nil || c.local == nil && !c.start(ctx) {
		return
	}
	c.count++
	a := &applied{number: c.count, link: c.link, seq: seq, set: next, at: time.Now()}
	c.applied = append(c.applied, a)
	c.local.Apply(dataplanes.Assignment{
		Unit: next.unit, Version: a.name(), Address: c.opts.Address, SessionKey: next.key,
	})
}

// name tells pushes apart that differ in endpoints alone, which are of one
// version.
func (a *applied) name() string { return fmt.Sprintf("%s#%d", a.set.manifest.Version, a.number) }

func (c *client) start(ctx context.Context) bool {
	local, err := c.opts.Start(ctx, c.place.Zone, c.place.Node)
	if err != nil {
		select {
		case c.failed <- fmt.Errorf("the proxy cannot start: %w", err):
		default:
		}
		return false
	}
	c.local = local
	c.hearing.Go(func() {
		for o := range local.Outcomes() {
			c.settle(o)
		}
	})
	return true
}

// settle takes note of what the proxy says.
func (c *client) settle(o dataplanes.Outcome) {
	if serves := c.note(o); c.opts.Serves != nil {
		c.opts.Serves(serves)
	}
	signal(c.changed)
}

// note reports whether a set is served.
func (c *client) note(o dataplanes.Outcome) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	number, err := strconv.ParseUint(o.Version[strings.LastIndexByte(o.Version, '#')+1:], 10, 64)
	if err != nil {
		c.opts.Log.Error(err, "The proxy reports a version that it was not given", "version", o.Version)
		return c.active != nil
	}
	c.state.Problems = wire.Bounded(o.Problems, c.opts.Unit)
	if o.Down {
		return false
	}
	for len(c.applied) > 0 && c.applied[0].number <= number {
		if a := c.applied[0]; a.number == number {
			c.active = a
			c.counts.active.Observe(time.Since(a.at).Seconds())
			signal(c.dirty)
		}
		c.applied = c.applied[1:]
	}
	return c.active != nil
}

// now is the state as the stream of now names it.
func (c *client) now() wire.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state
	if c.active != nil {
		s.Version = c.active.set.manifest.Version
		if c.active.link == c.link {
			s.Active = c.active.seq
		}
	}
	select {
	case <-c.opts.Draining:
		s.Draining = true
	default:
	}
	return s
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

var errEnded = errors.New("the pod is about to end")
