package envoy

import (
	"errors"
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
)

// Set is what Envoy would be sent for one unit: listeners, route configurations,
// clusters, endpoints, secrets and filters, in any order.
type Set struct {
	// Name is how failures call it.
	Name      string
	Resources []proto.Message
}

// static is a set as a bootstrap file would have it: nothing is to be fetched.
type static struct {
	name      string
	listeners []*listenerv3.Listener
	clusters  []*clusterv3.Cluster
	secrets   []*tlsv3.Secret
}

// index is a set by what its resources are called.
type index struct {
	routes    map[string]*routev3.RouteConfiguration
	endpoints map[string]*endpointv3.ClusterLoadAssignment
	secrets   map[string]bool
	filters   map[string]*corev3.TypedExtensionConfig
}

// static puts every resource where it is named, so that Envoy checks it there:
// while it validates, it fetches nothing. What is named and is not in the set is
// an error.
func (s Set) static() (*static, error) {
	out := &static{name: s.Name}
	by := index{
		routes: map[string]*routev3.RouteConfiguration{}, endpoints: map[string]*endpointv3.ClusterLoadAssignment{},
		secrets: map[string]bool{}, filters: map[string]*corev3.TypedExtensionConfig{},
	}
	for _, r := range s.Resources {
		switch r := proto.Clone(r).(type) {
		case *listenerv3.Listener:
			out.listeners = append(out.listeners, r)
		case *clusterv3.Cluster:
			out.clusters = append(out.clusters, r)
		case *tlsv3.Secret:
			out.secrets = append(out.secrets, r)
			by.secrets[r.GetName()] = true
		case *routev3.RouteConfiguration:
			by.routes[r.GetName()] = r
		case *endpointv3.ClusterLoadAssignment:
			by.endpoints[r.GetClusterName()] = r
		case *corev3.TypedExtensionConfig:
			by.filters[r.GetName()] = r
		default:
			return nil, fmt.Errorf("a %T is none of the resources that a set has", r)
		}
	}
	var err error
	for _, l := range out.listeners {
		err = errors.Join(err, walk(l, by.settle))
	}
	for _, c := range out.clusters {
		err = errors.Join(err, walk(c, by.settle))
	}
	return out, err
}

// settle replaces what a message would fetch.
func (by index) settle(m proto.Message) error {
	switch m := m.(type) {
	case *hcmv3.HttpConnectionManager:
		return by.settleRoutes(m)
	case *clusterv3.Cluster:
		return by.settleEndpoints(m)
	case *listenerv3.Filter:
		return by.settleFilter(m)
	case *tlsv3.SdsSecretConfig:
		m.SdsConfig = nil
		if !by.secrets[m.GetName()] {
			return fmt.Errorf("secret %q is asked for and is not there", m.GetName())
		}
	}
	return nil
}

func (by index) settleRoutes(m *hcmv3.HttpConnectionManager) error {
	rds := m.GetRds()
	if rds == nil {
		return nil
	}
	routes := by.routes[rds.GetRouteConfigName()]
	if routes == nil {
		return fmt.Errorf("route configuration %q is asked for and is not there", rds.GetRouteConfigName())
	}
	m.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes}
	return nil
}

func (by index) settleFilter(m *listenerv3.Filter) error {
	if m.GetConfigDiscovery() == nil {
		return nil
	}
	filter := by.filters[m.GetName()]
	if filter == nil {
		return fmt.Errorf("filter %q is asked for and is not there", m.GetName())
	}
	m.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: filter.GetTypedConfig()}
	return nil
}

// settleEndpoints makes a cluster whose endpoints come by themselves one that has
// them. Those that are not known yet are none.
func (by index) settleEndpoints(c *clusterv3.Cluster) error {
	if c.GetType() != clusterv3.Cluster_EDS {
		return nil
	}
	name := c.GetEdsClusterConfig().GetServiceName()
	if name == "" {
		name = c.GetName()
	}
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
	c.EdsClusterConfig = nil
	c.LoadAssignment = by.endpoints[name]
	if c.LoadAssignment == nil {
		c.LoadAssignment = &endpointv3.ClusterLoadAssignment{ClusterName: name}
	}
	return nil
}

// move gives a listener a name and an address of its own among many sets, for
// what all sets have listens at the same ports. Internal ones are known by name.
func move(l *listenerv3.Listener, set int) {
	socket := l.GetAddress().GetSocketAddress()
	if socket == nil {
		return
	}
	l.Name = fmt.Sprintf("%d/%s", set, l.GetName())
	for _, at := range append([]*corev3.Address{l.GetAddress()}, additional(l)...) {
		at.GetSocketAddress().Address = fmt.Sprintf("127.%d.%d.1", 1+set/250, set%250)
	}
}

func additional(l *listenerv3.Listener) []*corev3.Address {
	var all []*corev3.Address
	for _, a := range l.GetAdditionalAddresses() {
		all = append(all, a.GetAddress())
	}
	return all
}
