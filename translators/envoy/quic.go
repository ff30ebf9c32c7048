package envoy

import (
	"slices"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	quicv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/quic/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// servesHTTP3 says whether HTTP/3 is served on the UDP side of a port: not where
// all that could be is closed.
func (c *Config) servesHTTP3(p *order.Port) bool {
	served := func(l *ir.Listener) bool { return l.Protocol == ir.HTTPS && !c.closes(l) }
	return p.HTTP3 && slices.ContainsFunc(p.Requests(), served)
}

// quicListener serves HTTP/3 on the UDP side of a port.
func (c *Config) quicListener(p *order.Port) *Resource {
	l := &listenerv3.Listener{
		Name:                          listenerName(true, p.Port),
		StatPrefix:                    listenerName(true, p.Port),
		Address:                       c.address(p.Port, corev3.SocketAddress_UDP),
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(connectionBuffer),
		UdpListenerConfig: &listenerv3.UdpListenerConfig{
			QuicOptions:            c.quicOptions(),
			DownstreamSocketConfig: &corev3.UdpSocketConfig{PreferGro: wrapperspb.Bool(true)},
		},
	}
	for _, requests := range p.Listeners {
		l.FilterChains = append(l.FilterChains, c.quicChain(p, requests.Listener))
	}
	for _, s := range p.Streams {
		l.FilterChains = append(l.FilterChains, c.quicChain(p, s.Listener))
	}
	l.FilterChains = append(l.FilterChains, c.trustedQUIC(p, l.FilterChains)...)
	l.DefaultFilterChain = quicFilterChain(c.nobodysQUIC(p), nobodysManager())
	l.DefaultFilterChain.Name = "nobody"
	return &Resource{Name: l.Name, Message: l, Origins: originsOf(p)}
}

func (c *Config) quicOptions() *listenerv3.QuicProtocolOptions {
	s := &c.unit.Proxy.Settings
	options := &listenerv3.QuicProtocolOptions{
		QuicProtocolOptions:    &corev3.QuicProtocolOptions{},
		CryptoHandshakeTimeout: durationpb.New(handshakeTimeout),
	}
	if n := s.Limits.ConcurrentStreams; n > 0 {
		options.QuicProtocolOptions.MaxConcurrentStreams = wrapperspb.UInt32(uint32(n)) //nolint:gosec // It is a setting of 32 bits.
	}
	if s.Timeouts.Idle > 0 {
		options.IdleTimeout = durationpb.New(time.Duration(s.Timeouts.Idle))
	}
	return options
}

// quicChain serves the names of one listener. Those that are refused, and those
// whose TLS leads to a stream, are nobody's here.
func (c *Config) quicChain(p *order.Port, l *ir.Listener) *listenerv3.FilterChain {
	if l.Protocol != ir.HTTPS || c.closes(l) {
		return c.namedQUIC(l, c.nobodysQUIC(p), nobodysManager())
	}
	return c.entranceOf(entrance{l.Key, true}, l, func() *listenerv3.FilterChain {
		return c.namedQUIC(l, c.downstreamTLS(l, nil), c.http3Manager(l))
	})
}

func (c *Config) namedQUIC(l *ir.Listener, context *tlsv3.DownstreamTlsContext, manager *hcmv3.HttpConnectionManager) *listenerv3.FilterChain {
	chain := quicFilterChain(context, manager)
	chain.Filters = append(c.boundQUIC(), chain.Filters...)
	chain.Name, chain.FilterChainMatch = l.Hostname, forServerName(l.Hostname)
	chain.FilterChainMatch.TransportProtocol = "quic"
	return chain
}

// trustedQUIC refuses trusted proxies: they have no way to say whom they speak for.
func (c *Config) trustedQUIC(p *order.Port, chains []*listenerv3.FilterChain) []*listenerv3.FilterChain {
	sources := c.trusted(p.Port)
	if len(sources) == 0 {
		return nil
	}
	var all []*listenerv3.FilterChain
	for _, match := range trustedMatches(chains, sources) {
		chain := quicFilterChain(c.nobodysQUIC(p), nobodysManager())
		chain.Name, chain.FilterChainMatch = "trusted", match
		all = append(all, chain)
	}
	return all
}

func quicFilterChain(context *tlsv3.DownstreamTlsContext, manager *hcmv3.HttpConnectionManager) *listenerv3.FilterChain {
	// QUIC is made for TLS 1.3, and chooses the rest itself.
	context.CommonTlsContext.TlsParams = nil
	return &listenerv3.FilterChain{
		Filters: []*listenerv3.Filter{networkFilter("envoy.filters.network.http_connection_manager", manager)},
		TransportSocket: &corev3.TransportSocket{
			Name: "envoy.transport_sockets.quic",
			ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: typed(&quicv3.QuicDownstreamTransport{
				DownstreamTlsContext: context,
				// What is sent before the handshake has ended can be sent again by anybody.
				EnableEarlyData:  wrapperspb.Bool(false),
				EnableResumption: wrapperspb.Bool(!context.DisableStatefulSessionResumption),
			})},
		},
	}
}

// nobodysQUIC refuses handshakes before a certificate is shown: it speaks nothing
// that a client could want. QUIC has no chain without a certificate, so it names
// one that the port has.
func (c *Config) nobodysQUIC(p *order.Port) *tlsv3.DownstreamTlsContext {
	common := &tlsv3.CommonTlsContext{AlpnProtocols: []string{"nothing"}}
	for _, l := range p.Requests() {
		if l.Protocol == ir.HTTPS && !c.closes(l) {
			common.TlsCertificateSdsSecretConfigs = []*tlsv3.SdsSecretConfig{{
				Name: certificateName(l.TLS.Certificates[0]), SdsConfig: fromAgent(),
			}}
			break
		}
	}
	return &tlsv3.DownstreamTlsContext{CommonTlsContext: common}
}

// nobodysManager is never asked.
func nobodysManager() *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{
		CodecType: hcmv3.HttpConnectionManager_HTTP3, StatPrefix: "nobody",
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{}},
		HttpFilters: []*hcmv3.HttpFilter{{
			Name:       "envoy.filters.http.router",
			ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: typed(&routerv3.Router{})},
		}},
	}
}

// http3Manager serves the connections of a listener over QUIC.
func (c *Config) http3Manager(l *ir.Listener) *hcmv3.HttpConnectionManager {
	m := c.manager(l)
	m.CodecType = hcmv3.HttpConnectionManager_HTTP3
	m.Http3ProtocolOptions = &corev3.Http3ProtocolOptions{OverrideStreamErrorOnInvalidHttpMessage: wrapperspb.Bool(true)}
	m.HttpFilters = append([]*hcmv3.HttpFilter{found()}, m.HttpFilters...)
	return m
}
