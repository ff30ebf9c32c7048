package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	kubesource "github.com/sluice-gateway/sluice/operator/source/kube"
)

const (
	leaseName = "sluice-operator"
	keysName  = "sluice-operator-keys"
	// A leader that is silent for leaseFor has gone; one that cannot say that it
	// is there for renewFor goes by itself, well before.
	leaseFor, renewFor, retryEvery = 15 * time.Second, 10 * time.Second, 2 * time.Second
)

// operation is an operator that runs.
type operation struct {
	flags   *operatorFlags
	log     logr.Logger
	manager manager.Manager
	parts   *parts
	// leading is closed once this replica leads.
	leading chan struct{}
	// warm is true once every object is known.
	warm atomic.Bool
}

func scheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(s); err != nil {
		return nil, err
	}
	return s, kubesource.AddToScheme(s)
}

func newOperation(f *operatorFlags, config *rest.Config, log logr.Logger) (*operation, error) {
	o := &operation{flags: f, log: log, leading: make(chan struct{})}
	known, err := scheme()
	if err != nil {
		return nil, err
	}
	lock, err := f.lock(config)
	if err != nil {
		return nil, err
	}
	// What is left when the context ends is told by the pods' connections, which
	// end with the process.
	grace := 10 * time.Second
	lease, renew, retry := leaseFor, renewFor, retryEvery
	o.manager, err = ctrl.NewManager(config, ctrl.Options{
		Scheme: known, Logger: log, Cache: o.cacheOptions(known),
		Metrics:                metricsserver.Options{BindAddress: f.metrics},
		HealthProbeBindAddress: f.health, PprofBindAddress: f.pprof,
		LeaderElection: f.elect, LeaderElectionResourceLockInterface: lock, LeaderElectionReleaseOnCancel: true,
		LeaseDuration: &lease, RenewDeadline: &renew, RetryPeriod: &retry,
		GracefulShutdownTimeout: &grace,
	})
	if err != nil {
		return nil, err
	}
	if o.parts, err = o.assemble(config); err != nil {
		return nil, err
	}
	return o, o.register()
}

// lock elects by the name of the pod, so that a container that was started again
// leads on at once: the process that led before is dead.
func (f *operatorFlags) lock(config *rest.Config) (resourcelock.Interface, error) {
	if !f.elect {
		return nil, nil
	}
	c := rest.CopyConfig(config)
	c.Timeout = renewFor / 2
	leases, err := coordinationclient.NewForConfig(c)
	if err != nil {
		return nil, err
	}
	lock := &resourcelock.LeaseLock{Client: leases, LockConfig: resourcelock.ResourceLockConfig{Identity: f.identity}}
	lock.LeaseMeta.Namespace, lock.LeaseMeta.Name = f.namespace, leaseName
	return lock, nil
}

// always runs in every replica, led in the leader alone.
type always func(context.Context) error

var _ manager.LeaderElectionRunnable = always(nil)

func (a always) Start(ctx context.Context) error { return a(ctx) }
func (always) NeedLeaderElection() bool          { return false }

func (o *operation) register() error {
	p := o.parts
	for _, run := range []manager.Runnable{
		always(p.authority.Follow), always(o.serve), always(o.translate), always(p.fleet.Run),
		manager.RunnableFunc(p.authority.Lead), manager.RunnableFunc(p.provisioner.Run), p.sink, manager.RunnableFunc(o.lead),
	} {
		if err := o.manager.Add(run); err != nil {
			return err
		}
	}
	if err := o.manager.AddHealthzCheck("alive", func(*http.Request) error { return nil }); err != nil {
		return err
	}
	return o.manager.AddReadyzCheck("warm", func(*http.Request) error {
		if !o.warm.Load() {
			return fmt.Errorf("the cluster's objects are not all read yet")
		}
		return nil
	})
}

func (o *operation) run(ctx context.Context) error { return o.manager.Start(ctx) }

// lead begins to serve pods, in a term of its own.
func (o *operation) lead(ctx context.Context) error {
	term, err := o.term(ctx)
	if err != nil {
		return err
	}
	o.log.Info("leading", "identity", o.flags.identity, "term", term)
	o.parts.server.Lead(term)
	close(o.leading)
	<-ctx.Done()
	return nil
}

// term numbers leaders: the later one has the higher number, whatever the clocks
// of nodes say. A lease counts its transitions, and one that was deleted and made
// anew is younger.
func (o *operation) term(ctx context.Context) (uint64, error) {
	if !o.flags.elect {
		return uint64(time.Now().Unix()) << transitionBits, nil
	}
	lease := &coordinationv1.Lease{}
	key := types.NamespacedName{Namespace: o.flags.namespace, Name: leaseName}
	if err := o.manager.GetAPIReader().Get(ctx, key, lease); err != nil {
		return 0, fmt.Errorf("the lease that was just acquired cannot be read: %w", err)
	}
	return termOf(lease), nil
}

const transitionBits = 24

func termOf(lease *coordinationv1.Lease) uint64 {
	term := uint64(lease.CreationTimestamp.Unix()) << transitionBits
	if n := lease.Spec.LeaseTransitions; n != nil {
		term += uint64(*n)
	}
	return term
}

// serve answers pods. Who does not lead says so.
func (o *operation) serve(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.flags.delivery)
	if err != nil {
		return fmt.Errorf("--delivery: %w", err)
	}
	return o.parts.server.Serve(ctx, listener)
}

// translate runs the engine, once there are keys of which those of sticky sessions
// are made.
func (o *operation) translate(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-o.parts.authority.Known():
		return o.parts.engine.Run(ctx)
	}
}
