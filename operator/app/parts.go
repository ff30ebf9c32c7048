package app

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/server"
	"github.com/sluice-gateway/sluice/dataplanes/provision"
	"github.com/sluice-gateway/sluice/dataplanes/release"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/authority"
	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/fleet"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
	kubesource "github.com/sluice-gateway/sluice/operator/source/kube"
	kubestatus "github.com/sluice-gateway/sluice/operator/status/kube"
)

// parts are what an operator is made of.
type parts struct {
	authority   *authority.Authority
	provisioner *provision.Provisioner
	server      *server.Server
	fleet       *fleet.Fleet
	sink        *kubestatus.Sink
	engine      *engine.Engine
}

// reservedPorts are those that no listener can have.
var reservedPorts = map[uint16]string{dataplanes.AdminPort: "the proxy's metrics and health use it"}

func (o *operation) cacheOptions(known *runtime.Scheme) cache.Options {
	return kubesource.CacheOptions(kubesource.CacheSettings{
		Scheme: known, Namespaces: o.flags.namespaces, Manager: kubestatus.Manager, Log: o.log.WithName("watch"),
	})
}

// assemble makes the parts and joins them: objects go from the source through the
// engine to the fleet, and what became of them to the sink.
func (o *operation) assemble(config *rest.Config) (*parts, error) {
	p := &parts{}
	// What is made or read once, and Secrets, are not worth a watch.
	live, err := client.New(config, client.Options{Scheme: o.manager.GetScheme(), Mapper: o.manager.GetRESTMapper()})
	if err != nil {
		return nil, err
	}
	p.authority = o.authority(live, p)
	p.fleet = fleet.New(fleet.Options{SessionKey: p.authority.SessionKey})
	if p.provisioner, err = o.provisioner(config, live, p); err != nil {
		return nil, err
	}
	p.server = server.New(server.Options{
		Certificate: p.authority.Certificate, Review: fleet.Reviewer(live), Admit: p.admit, Report: p.fleet.Report,
		Log: o.log.WithName("delivery"), Metrics: metrics.Registry, Program: release.Version(),
	})
	p.fleet.Join(p.provisioner, p.server)
	source := kubesource.New(kubesource.Options{
		Cache: o.manager.GetCache(), Reader: live, Log: o.log.WithName("source"),
		Seen: func(key resources.Key, obj client.Object) { p.sink.Seen(key, obj) },
	})
	p.sink = kubestatus.New(kubestatus.Options{
		Cluster: source, Client: live, Reader: live, Ours: ours, Metrics: metrics.Registry, Log: o.log.WithName("status"),
	})
	by, err := dataplanesBy("")
	if err != nil {
		return nil, err
	}
	p.engine = engine.New(engine.Options{
		Source: source, FrontEnds: frontEnds(by, gatewayapi.Options{ReservedPorts: reservedPorts, KeepClassless: true}), Indexes: gatewayapi.Indexes(),
		Classless: o.classless, Fleet: &warming{p.fleet, o}, Leading: o.leading, Sink: p.sink, Resolve: lookUp,
	})
	return p, nil
}

func (o *operation) authority(live client.Client, p *parts) *authority.Authority {
	return authority.New(authority.Options{
		Client: live, Secret: types.NamespacedName{Namespace: o.flags.namespace, Name: keysName},
		Host: o.flags.serverName(), Log: o.log.WithName("authority"),
		Renewed: func() { p.provisioner.Renew() },
	})
}

// provisioner has a cache of its own, of what has its label alone.
func (o *operation) provisioner(config *rest.Config, live client.Client, p *parts) (*provision.Provisioner, error) {
	opts := cache.Options{Scheme: o.manager.GetScheme(), Mapper: o.manager.GetRESTMapper()}
	for _, namespace := range o.flags.namespaces {
		if opts.DefaultNamespaces == nil {
			opts.DefaultNamespaces = map[string]cache.Config{}
		}
		opts.DefaultNamespaces[namespace] = cache.Config{}
	}
	made, err := cache.New(config, provision.CacheOptions(opts))
	if err != nil {
		return nil, err
	}
	if err := o.manager.Add(made); err != nil {
		return nil, err
	}
	return provision.New(provision.Options{
		Client: live, Cache: made, Image: o.flags.proxyImage, Agents: o.flags.agents(), Delivery: o.flags.host,
		CA: p.authority.Bundle, Changed: p.fleet.Changed, Log: o.log.WithName("provision"),
	})
}

// agents are the proxies that run in images of their own.
func (f *operatorFlags) agents() map[string]provision.Agent {
	return map[string]provision.Agent{
		"sluice.dev/envoy":   {Dataplane: "envoy", Image: f.envoyImage},
		"sluice.dev/haproxy": {Dataplane: "haproxy", Image: f.haproxyImage, User: haproxyUser},
	}
}

// admit says which unit a pod was made for.
func (p *parts) admit(ctx context.Context, peer server.Peer) (server.Admission, error) {
	a, err := p.provisioner.Identify(ctx, provision.Claim{
		Namespace: peer.Namespace, Pod: peer.Pod, UID: types.UID(peer.PodUID), ServiceAccount: peer.ServiceAccount,
	})
	if err != nil && !errors.Is(err, provision.ErrUnknown) {
		err = fmt.Errorf("%w: %w", server.ErrRefused, err)
	}
	return server.Admission{Owner: a.Owner, Zone: a.Zone, Node: a.Node}, err
}

func ours(name gatewayv1.GatewayController) bool {
	for _, c := range controllers {
		if c == name {
			return true
		}
	}
	return false
}

// classless tells of a Gateway that goes on without a class, as its status cannot:
// it is nobody's.
func (o *operation) classless(owner ir.Object) {
	o.log.Info("the GatewayClass does not exist: what runs stays as it was, and changes wait for the class",
		"gateway", owner.Namespace+"/"+owner.Name)
}

// warming notes when everything has been read.
type warming struct {
	*fleet.Fleet
	operation *operation
}

var _ engine.Fleet = (*warming)(nil)

// Complete implements engine.Fleet.
func (w *warming) Complete(owners []ir.Object) {
	w.operation.warm.Store(true)
	w.Fleet.Complete(owners)
}
