package apiserver

import (
	"context"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
	sourcekube "github.com/sluice-gateway/sluice/operator/source/kube"
	statuskube "github.com/sluice-gateway/sluice/operator/status/kube"
)

const controller gatewayv1.GatewayController = "sluice.dev/go"

// fleet runs every unit at once, at an address: what proxies do is not tested
// here.
type fleet struct {
	outcomes chan dataplanes.Outcome
	// silent is true for one that never answers.
	silent bool

	mu      sync.Mutex
	stopped chan struct{}
	sending sync.WaitGroup
}

var _ engine.Fleet = (*fleet)(nil)

// Apply implements engine.Fleet.
func (f *fleet) Apply(o engine.Order) {
	if f.silent {
		return
	}
	out := dataplanes.Outcome{Owner: o.Unit.Proxy.Owner, Version: o.Version, Reach: &dataplanes.Reach{Addresses: []dataplanes.Address{{Value: "192.0.2.1"}}}}
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.stopped:
		return
	default:
	}
	f.sending.Go(func() {
		select {
		case f.outcomes <- out:
		case <-f.stopped:
		}
	})
}

// stop ends the outcomes.
func (f *fleet) stop() {
	f.mu.Lock()
	close(f.stopped)
	f.mu.Unlock()
	f.sending.Wait()
	close(f.outcomes)
}

// Remove implements engine.Fleet.
func (f *fleet) Remove(ir.Object) {}

// Lead implements engine.Fleet.
func (f *fleet) Lead() {}

// Complete implements engine.Fleet.
func (f *fleet) Complete([]ir.Object) {}

// Outcomes implements engine.Fleet.
func (f *fleet) Outcomes() <-chan dataplanes.Outcome { return f.outcomes }

// operator is the source, the engine and the sink, joined as the operator joins
// them.
type operator struct {
	engine *engine.Engine
	source *sourcekube.Source
	stop   func()
	last   *latest
	log    *journal
	meter  *prometheus.Registry
	fleet  *fleet
	// lead makes it write.
	lead func()
}

// latest keeps the last snapshot, and hands it on.
type latest struct {
	engine.Sink

	mu       sync.Mutex
	snapshot engine.Snapshot
}

func (l *latest) Publish(s engine.Snapshot) {
	l.mu.Lock()
	l.snapshot = s
	l.mu.Unlock()
	l.Sink.Publish(s)
}

func (l *latest) get() engine.Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.snapshot
}

type settings struct {
	namespaces []string
	silent     bool
	// follower does not lead until it is told to.
	follower bool
	config   *rest.Config
}

func (s *server) operate(t *testing.T, with settings) *operator {
	t.Helper()
	config := rest.CopyConfig(s.config)
	if with.config != nil {
		config = rest.CopyConfig(with.config)
	}
	config.UserAgent = agent
	o := &operator{log: &journal{}, meter: prometheus.NewRegistry()}
	log := o.log.logger(t)
	c, err := cache.New(config, sourcekube.CacheOptions(sourcekube.CacheSettings{
		Scheme: s.scheme, Namespaces: with.namespaces, Manager: statuskube.Manager, Log: log,
	}))
	s.must(err)
	live, err := client.New(config, client.Options{Scheme: s.scheme})
	s.must(err)
	var sink *statuskube.Sink
	o.source = sourcekube.New(sourcekube.Options{
		Cache: c, Reader: live, Log: log, Seen: func(key resources.Key, obj client.Object) { sink.Seen(key, obj) },
	})
	sink = statuskube.New(statuskube.Options{
		Cluster: o.source, Client: live, Reader: live, Log: log, Metrics: o.meter,
		Ours: func(name gatewayv1.GatewayController) bool {
			return name == controller || name == "sluice.dev/haproxy" || name == "sluice.dev/envoy"
		},
	})
	o.last = &latest{Sink: sink}
	o.fleet = &fleet{outcomes: make(chan dataplanes.Outcome), stopped: make(chan struct{}), silent: with.silent}
	o.engine = engine.New(engine.Options{
		Source: o.source, Indexes: gatewayapi.Indexes(), Sink: o.last, Fleet: o.fleet,
		FrontEnds: func(set *resources.Set) []engine.FrontEnd {
			return []engine.FrontEnd{gatewayapi.New(set, gatewayapi.Options{
				Controllers: map[gatewayv1.GatewayController]feature.Set{controller: goproxy.Dataplane{}.Features()},
			})}
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Start(ctx) })
	running.Go(func() {
		if err := o.engine.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	o.lead = func() { running.Go(func() { _ = sink.Start(ctx) }) }
	if !with.follower {
		o.lead()
	}
	var once sync.Once
	o.stop = func() {
		once.Do(func() {
			cancel()
			// The engine ends when nothing can come from the fleet any more.
			o.fleet.stop()
			running.Wait()
		})
	}
	t.Cleanup(o.stop)
	return o
}

// object is one of namespace default as the source knows it.
func (o *operator) object(kind, name string) client.Object {
	return o.source.Object(resources.Key{Kind: resources.Kind(kind), Namespace: "default", Name: name})
}

// counted is what the metrics say of writes of a kind with a result.
func (o *operator) counted(t *testing.T, kind, result string) int {
	t.Helper()
	families, err := o.meter.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if f.GetName() == "sluice_status_writes_total" && labels["kind"] == kind && labels["result"] == result {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return 0
}
