package kube

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// Manager is the field manager of every status that is written.
const Manager = "sluice.dev/status"

// Cluster is what is known of the cluster's objects.
type Cluster interface {
	// Object returns an object as the API server last had it; nil where it is not
	// there. It is shared and must not be changed.
	Object(resources.Key) client.Object
	// Served returns in which version a kind is read; false where it is not.
	Served(resources.Kind) (schema.GroupVersionKind, bool)
}

// Options are what a Sink writes with.
type Options struct {
	Cluster Cluster
	// Client writes. Its rate limit is what bounds the writes of many routes.
	Client client.Client
	// Reader reads from the API server itself.
	Reader client.Reader
	// Ours reports whether a controllerName is ours, whether or not anything
	// serves it.
	Ours func(gatewayv1.GatewayController) bool
	// Metrics takes the counter of writes; nil is nobody.
	Metrics prometheus.Registerer
	Log     logr.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Sink writes statuses while it leads. Make one with New.
type Sink struct {
	opts   Options
	writes *prometheus.CounterVec
	// many holds the keys of routes and policies, few those of Gateways,
	// ListenerSets and GatewayClasses, which must not wait behind 1,000 routes.
	many, few workqueue.TypedRateLimitingInterface[resources.Key]
	news      chan struct{}

	mu sync.Mutex
	// latest is what was published last.
	latest  engine.Snapshot
	leading bool
	// bearing are the objects whose status on the server holds something of ours.
	bearing map[resources.Key]struct{}
	states  map[resources.Key]*state
	// complete is that of the snapshot that was planned last.
	complete bool

	// reports are those of the last plan, by unit; the zero owner's are those of
	// classes. The planner's goroutine alone reads them.
	reports map[ir.Object]said
	by      map[resources.Key]map[ir.Object]*findings.Report
}

var _ engine.Sink = (*Sink)(nil)

// New returns a sink that writes nothing until Start.
func New(opts Options) *Sink {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Sink{
		opts: opts, writes: newWrites(), many: newQueue(), few: newQueue(), news: make(chan struct{}, 1),
		bearing: map[resources.Key]struct{}{}, states: map[resources.Key]*state{},
		reports: map[ir.Object]said{}, by: map[resources.Key]map[ir.Object]*findings.Report{},
	}
	if opts.Metrics != nil {
		opts.Metrics.MustRegister(s.writes)
	}
	return s
}

const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Minute
)

func newQueue() workqueue.TypedRateLimitingInterface[resources.Key] {
	return workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[resources.Key](firstRetry, lastRetry))
}

func (s *Sink) queue(kind resources.Kind) workqueue.TypedRateLimitingInterface[resources.Key] {
	switch kind {
	case resources.Gateway, resources.GatewayClass, resources.ListenerSet:
		return s.few
	}
	return s.many
}

// Publish implements engine.Sink.
func (s *Sink) Publish(snapshot engine.Snapshot) {
	s.mu.Lock()
	s.latest = snapshot
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// Seen takes an object as the API server has it now, nil where it is gone. It is
// for the source's Seen.
func (s *Sink) Seen(key resources.Key, obj client.Object) {
	bears := obj != nil && s.bears(obj)
	s.mu.Lock()
	defer s.mu.Unlock()
	if bears {
		s.bearing[key] = struct{}{}
	} else {
		delete(s.bearing, key)
	}
	st := s.states[key]
	if st != nil && obj == nil {
		st.overlay = nil
	}
	if s.leading && (st != nil && st.want != nil || bears && s.complete) {
		s.queue(key.Kind).Add(key)
	}
}

// How many writes are under way at once.
const (
	manyWriters = 16
	fewWriters  = 4
)

// Start leads: it writes until the context ends, and returns when nothing is
// being written any more. It is called once.
func (s *Sink) Start(ctx context.Context) error {
	s.mu.Lock()
	s.leading = true
	s.mu.Unlock()
	var working sync.WaitGroup
	for _, w := range []struct {
		queue   workqueue.TypedRateLimitingInterface[resources.Key]
		writers int
	}{{s.many, manyWriters}, {s.few, fewWriters}} {
		for range w.writers {
			working.Go(func() { s.work(ctx, w.queue) })
		}
	}
	s.plan()
	for {
		select {
		case <-ctx.Done():
			s.mu.Lock()
			s.leading = false
			s.mu.Unlock()
			s.many.ShutDown()
			s.few.ShutDown()
			working.Wait()
			return nil
		case <-s.news:
			s.plan()
		}
	}
}

// NeedLeaderElection is for controller-runtime's manager: Start waits for it.
func (s *Sink) NeedLeaderElection() bool { return true }
