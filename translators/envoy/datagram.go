package envoy

import (
	"net/netip"
	"slices"
	"time"

	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	udpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/udp/udp_proxy/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

const (
	// mostDatagram is the longest datagram there can be, in bytes.
	mostDatagram = 65535
	// sessionIdle is where no bound is set: a session has no other end.
	sessionIdle = time.Minute
	// allShares is what the weights of a listener's endpoints come to.
	allShares = 1_000_000
)

// nowhere is an endpoint that nothing can be sent to: the share of a backend that
// has none of its own is lost, and others do not get it. A broadcast is refused by
// the system, as the socket does not ask for it.
var nowhere = netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), 9)

// datagramListeners returns what listens at a port of UDP. Nothing about its route
// is in the listener, as Envoy ends the sessions of one that changes.
func (c *Config) datagramListeners(p *order.Port) []*Resource {
	if len(p.Streams) == 0 {
		return nil
	}
	s := p.Streams[0]
	name := listenerName(true, p.Port)
	c.Clusters = append(c.Clusters, c.datagramCluster(name, s))
	c.Endpoints = append(c.Endpoints, c.datagramEndpoints(name, s))
	return []*Resource{{Name: name, Origins: originsOf(p), Message: &listenerv3.Listener{
		Name:    name,
		Address: c.address(p.Port, corev3.SocketAddress_UDP),
		UdpListenerConfig: &listenerv3.UdpListenerConfig{
			DownstreamSocketConfig: &corev3.UdpSocketConfig{MaxRxDatagramSize: wrapperspb.UInt64(mostDatagram)},
		},
		ListenerFilters: []*listenerv3.ListenerFilter{{
			Name:       "envoy.filters.udp_listener.udp_proxy",
			ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: typed(c.datagramProxy(name))},
		}},
	}}}
}

func (c *Config) datagramProxy(cluster string) *udpv3.UdpProxyConfig {
	idle := time.Duration(c.unit.Proxy.Settings.Timeouts.DatagramIdle)
	if idle <= 0 {
		idle = sessionIdle
	}
	return &udpv3.UdpProxyConfig{
		StatPrefix: cluster,
		AccessLog:  streamLog(cluster, ir.UDP),
		RouteSpecifier: &udpv3.UdpProxyConfig_Matcher{Matcher: &xdsmatcherv3.Matcher{
			OnNoMatch: &xdsmatcherv3.Matcher_OnMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Action{
				Action: extension("route", &udpv3.Route{Cluster: cluster}),
			}},
		}},
		IdleTimeout: durationpb.New(idle),
		HashPolicies: []*udpv3.UdpProxyConfig_HashPolicy{{
			PolicySpecifier: &udpv3.UdpProxyConfig_HashPolicy_SourceIp{SourceIp: true},
		}},
		UpstreamSocketConfig: &corev3.UdpSocketConfig{MaxRxDatagramSize: wrapperspb.UInt64(mostDatagram)},
	}
}

// datagramCluster has the endpoints of all backends of a listener's rule, each
// with its share: a session stays where it is while its endpoint does.
func (c *Config) datagramCluster(name string, s *order.Stream) *Resource {
	sessions := uint32(unbounded)
	if most := c.unit.Proxy.Settings.Limits.DatagramSessions; most > 0 {
		sessions = uint32(min(most, unbounded)) //nolint:gosec // It fits.
	}
	common := sharedBalancing()
	// Shares change without an endpoint that comes or goes.
	common.UpdateMergeWindow = durationpb.New(0)
	return &Resource{Name: name, Origins: streamOrigins(s), Message: &clusterv3.Cluster{
		Name:                 name,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: fromAgent(), ServiceName: name},
		CircuitBreakers:      allow(sessions),
		CommonLbConfig:       common,
		LoadBalancingPolicy:  balancingPolicy(c.datagramBalancing(s), plain),
	}}
}

// datagramBalancing is that of the first backend.
func (c *Config) datagramBalancing(s *order.Stream) ir.Balancing {
	for _, use := range usesOf(ruleOf(s)) {
		if use.Backend != nil && c.upstreams[*use.Backend] != nil {
			return c.upstreams[*use.Backend].backend.Balancing
		}
	}
	return ir.Balancing{}
}

// ruleOf is the rule of a listener of UDP; nil where it has none.
func ruleOf(s *order.Stream) *ir.Rule {
	if len(s.Hosts) == 0 {
		return nil
	}
	return s.Hosts[0].Rule
}

func streamOrigins(s *order.Stream) []ir.Origin {
	if rule := ruleOf(s); rule != nil {
		return []ir.Origin{rule.Origin}
	}
	return []ir.Origin{originOf(s.Listener)}
}

// datagramEndpoints gives each endpoint its share of its backend's weight. The
// address of several backends has the shares of all.
func (c *Config) datagramEndpoints(name string, s *order.Stream) *Resource {
	uses, total := usesOf(ruleOf(s)), 0
	for _, use := range uses {
		total += use.Weight
	}
	weights := map[netip.AddrPort]float64{}
	for _, use := range uses {
		all := c.datagramTargets(use.Backend)
		for _, at := range all {
			weights[at] += allShares * float64(use.Weight) / float64(total) / float64(len(all))
		}
	}
	m := &endpointv3.ClusterLoadAssignment{ClusterName: name}
	if len(weights) > 0 {
		m.Endpoints = []*endpointv3.LocalityLbEndpoints{{LbEndpoints: shared(weights)}}
	}
	return &Resource{Name: name, Message: m}
}

func shared(weights map[netip.AddrPort]float64) []*endpointv3.LbEndpoint {
	all := make([]netip.AddrPort, 0, len(weights))
	for at := range weights {
		all = append(all, at)
	}
	slices.SortFunc(all, netip.AddrPort.Compare)
	list := make([]*endpointv3.LbEndpoint, 0, len(all))
	for _, at := range all {
		e := endpointAt(at, corev3.SocketAddress_UDP)
		e.LoadBalancingWeight = wrapperspb.UInt32(max(uint32(weights[at]), 1))
		list = append(list, e)
	}
	return list
}

// datagramTargets are the endpoints of a backend that are nearest to being chosen:
// nothing tells whether one of them is reached.
func (c *Config) datagramTargets(key *ir.BackendKey) []netip.AddrPort {
	if key != nil && c.served[key.EndpointsKey] != nil {
		for _, list := range c.tiers(c.served[key.EndpointsKey].endpoints) {
			if len(list) > 0 {
				return list
			}
		}
	}
	return []netip.AddrPort{nowhere}
}
