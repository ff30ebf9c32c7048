package gatewayapi

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// Options are what a translation needs to know beside the objects.
type Options struct {
	// Controllers maps each controllerName that is ours to what its dataplane
	// can do. A class of any other controller does not exist for this package.
	Controllers map[gatewayv1.GatewayController]feature.Set
	// ReservedPorts are ports that no listener can have, and why not ("the
	// proxy's metrics use it").
	ReservedPorts map[uint16]string
	// KeepClassless is set where what runs for a Gateway outlives its class: the unit
	// then keeps what it had, and its endpoints are followed.
	KeepClassless bool
}

// Output is the translation of one unit.
type Output struct {
	// Owner is the Gateway that the unit belongs to.
	Owner ir.Object
	// Controller says which dataplane serves the unit.
	Controller gatewayv1.GatewayController
	// Proxy is nil where the Gateway is gone, is not ours, or is refused as a
	// whole.
	Proxy *ir.Proxy
	// Infrastructure is what is asked of the objects that run the unit in a
	// cluster; nil where Proxy is nil. While it stays equal it stays the same
	// pointer.
	Infrastructure *Infrastructure
	// Reports say what this unit found out: about the Gateway, its
	// ListenerSets, its routes and the policies on its backends, in the order of
	// their keys. A report whose pointer is the same as last time has not
	// changed.
	Reports []*findings.Report
	// Names are the DNS names that ExternalName Services need resolved, sorted.
	// Their answers come in as objects of kind DNSAnswer.
	Names []string
	// Classless is true where there is no Proxy because the Gateway's class does not
	// exist: whose the Gateway is, nobody can say. Only with KeepClassless.
	Classless bool
	// Pending is true while something that was read may still appear: nothing of
	// this output may be sent or written then.
	Pending bool
}

// Touched is what a batch of changed facts concerns.
type Touched struct {
	// Units are to be translated again, ordered.
	Units []ir.Object
	// Endpoints are units of which nothing but endpoints changed, ordered.
	Endpoints []ir.Object
	// Classes is true where the reports about GatewayClasses may differ.
	Classes bool
}

// Translator translates Gateways, and keeps of each translation what a change
// leaves as it was. It is not safe for concurrent use: the loop that owns the
// Set owns it too.
type Translator struct {
	set  *resources.Set
	opts Options

	classes   *resources.Memo[string, *class]
	frames    *resources.Memo[ir.Object, *frame]
	members   *resources.Memo[*routing, membership]
	routes    *resources.Memo[routeID, *routed]
	services  *resources.Memo[serviceID, *service]
	policies  *resources.Memo[resources.Key, *policy]
	endpoints *resources.Memo[endpointsID, *ir.Endpoints]

	// units are what is kept of each unit between two translations.
	units map[ir.Object]*unit
	// users are the units that use an entry of endpoints.
	users map[endpointsID]map[ir.Object]struct{}
}

// New returns a Translator of a set that keeps the Indexes.
func New(set *resources.Set, opts Options) *Translator {
	return &Translator{
		set:       set,
		opts:      opts,
		classes:   resources.NewMemo[string, *class](),
		frames:    resources.NewMemo[ir.Object, *frame](),
		members:   resources.NewMemo[*routing, membership](),
		routes:    resources.NewMemo[routeID, *routed](),
		services:  resources.NewMemo[serviceID, *service](),
		policies:  resources.NewMemo[resources.Key, *policy](),
		endpoints: resources.NewMemo[endpointsID, *ir.Endpoints](),
		units:     map[ir.Object]*unit{},
		users:     map[endpointsID]map[ir.Object]struct{}{},
	}
}
