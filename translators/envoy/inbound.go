package envoy

import (
	"math"
	"net/netip"
	"slices"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	setstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	originaldstv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/original_dst/v3"
	proxyprotocolv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/proxy_protocol/v3"
	setfilterstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/set_filter_state/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	internalv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/internal_upstream/v3"
	rawbufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// A PROXY header must come from those who are trusted and from nobody else, and
// Envoy's listener filter knows no source. So a port's own listener looks at who
// connects alone: trusted connections are handed, with their addresses, to a
// listener inside of the process that demands the header and has the same filter
// chains; all others are served where they are.

// trusted returns whose PROXY headers a port takes; none for nobody's. A prefix
// that cannot be read trusts nobody.
func (c *Config) trusted(port uint16) []*corev3.CidrRange {
	s := &c.unit.Proxy.Settings.ProxyProtocol
	if len(s.Ports) > 0 && !slices.Contains(s.Ports, port) {
		return nil
	}
	var all []*corev3.CidrRange
	for _, text := range s.Trusted {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			prefix = prefix.Masked()
			all = append(all, &corev3.CidrRange{
				AddressPrefix: prefix.Addr().String(),
				PrefixLen:     wrapperspb.UInt32(uint32(prefix.Bits())), //nolint:gosec // It is 0 to 128.
			})
		}
	}
	return all
}

// trustedMatches catch the connections of trusted sources before any of the given
// chains can. Envoy looks at the server name and the transport first and never
// turns back, so each of those that occur must be named with the sources.
func trustedMatches(chains []*listenerv3.FilterChain, sources []*corev3.CidrRange) []*listenerv3.FilterChainMatch {
	names := map[string][]string{}
	var transports []string
	for _, chain := range chains {
		m := chain.FilterChainMatch
		if transport := m.GetTransportProtocol(); !slices.Contains(transports, transport) {
			transports = append(transports, transport)
		}
		names[m.GetTransportProtocol()] = append(names[m.GetTransportProtocol()], m.GetServerNames()...)
	}
	var all []*listenerv3.FilterChainMatch
	for _, transport := range transports {
		match := func(names []string) {
			all = append(all, &listenerv3.FilterChainMatch{
				TransportProtocol: transport, ServerNames: names, DirectSourcePrefixRanges: sources,
			})
		}
		match(nil)
		if named := names[transport]; len(named) > 0 {
			slices.Sort(named)
			match(slices.Compact(named))
		}
	}
	return all
}

// handOver returns the chains that hand trusted connections over to the listener
// inside.
func (c *Config) handOver(port uint16, chains []*listenerv3.FilterChain, sources []*corev3.CidrRange) []*listenerv3.FilterChain {
	proxy := &tcpproxyv3.TcpProxy{
		StatPrefix:       "proxied",
		ClusterSpecifier: &tcpproxyv3.TcpProxy_Cluster{Cluster: proxiedName(port)},
		// The listener inside says when a connection has been idle for too long.
		IdleTimeout: durationpb.New(0),
	}
	var all []*listenerv3.FilterChain
	for _, match := range trustedMatches(chains, sources) {
		all = append(all, &listenerv3.FilterChain{
			Name: "trusted", FilterChainMatch: match,
			Filters: []*listenerv3.Filter{keepAddresses(), networkFilter("envoy.filters.network.tcp_proxy", proxy)},
		})
	}
	return all
}

// keepAddresses takes a connection's own addresses along: they count where the
// header names none.
func keepAddresses() *listenerv3.Filter {
	keep := func(key, format string) *setstatev3.FilterStateValue {
		return &setstatev3.FilterStateValue{
			Key: &setstatev3.FilterStateValue_ObjectKey{ObjectKey: key},
			Value: &setstatev3.FilterStateValue_FormatString{FormatString: &corev3.SubstitutionFormatString{
				Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: inline(format)},
			}},
			SharedWithUpstream: setstatev3.FilterStateValue_TRANSITIVE,
		}
	}
	return networkFilter("envoy.filters.network.set_filter_state", &setfilterstatev3.Config{
		OnNewConnection: []*setstatev3.FilterStateValue{
			keep("envoy.filters.listener.original_dst.remote_ip", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%"),
			keep("envoy.filters.listener.original_dst.local_ip", "%DOWNSTREAM_LOCAL_ADDRESS%"),
		},
	})
}

// proxiedListener is the listener inside for the trusted connections of a port.
func (c *Config) proxiedListener(p *order.Port, chains []*listenerv3.FilterChain) *Resource {
	timeout := time.Duration(c.unit.Proxy.Settings.ProxyProtocol.HeaderTimeout)
	l := &listenerv3.Listener{
		Name:                          proxiedName(p.Port),
		ListenerSpecifier:             &listenerv3.Listener_InternalListener{InternalListener: &listenerv3.Listener_InternalListenerConfig{}},
		FilterChains:                  chains,
		ListenerFilters:               []*listenerv3.ListenerFilter{listenerFilter("original_dst", &originaldstv3.OriginalDst{}), listenerFilter("proxy_protocol", &proxyprotocolv3.ProxyProtocol{})},
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(connectionBuffer),
	}
	if speaksTLS(p) {
		// The hello comes after the header.
		timeout += handshakeTimeout
		l.ListenerFilters = append(l.ListenerFilters, inspectTLS())
		l.DefaultFilterChain = nobody(p)
	}
	l.ListenerFiltersTimeout = durationpb.New(timeout)
	return &Resource{Name: l.Name, Message: l, Origins: originsOf(p)}
}

// proxiedClusters lead to the listeners inside.
func (c *Config) proxiedClusters() []*Resource {
	var all []*Resource
	for _, p := range c.ports {
		if p.Protocol != ir.UDP && len(c.trusted(p.Port)) > 0 {
			all = append(all, proxiedCluster(proxiedName(p.Port)))
		}
	}
	return all
}

func proxiedCluster(name string) *Resource {
	address := &corev3.Address{Address: &corev3.Address_EnvoyInternalAddress{EnvoyInternalAddress: &corev3.EnvoyInternalAddress{
		AddressNameSpecifier: &corev3.EnvoyInternalAddress_ServerListenerName{ServerListenerName: name},
	}}}
	raw := &corev3.TransportSocket{
		Name:       "envoy.transport_sockets.raw_buffer",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: typed(&rawbufferv3.RawBuffer{})},
	}
	return &Resource{Name: name, Message: &clusterv3.Cluster{
		Name: name, ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(connectionBuffer),
		// The port's own listener bounds its connections.
		CircuitBreakers: &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
			MaxConnections: wrapperspb.UInt32(math.MaxUint32), MaxPendingRequests: wrapperspb.UInt32(math.MaxUint32),
		}}},
		LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
			LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address}}}},
		}}},
		TransportSocket: &corev3.TransportSocket{
			Name:       "envoy.transport_sockets.internal_upstream",
			ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: typed(&internalv3.InternalUpstreamTransport{TransportSocket: raw})},
		},
	}}
}
