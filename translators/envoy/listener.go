package envoy

import (
	"net/netip"
	"slices"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

const (
	// handshakeTimeout bounds what comes before a connection's own bytes.
	handshakeTimeout = 10 * time.Second
	// connectionBuffer bounds what is kept of a connection in each direction.
	connectionBuffer = 256 << 10
)

// listeners returns what listens at a port. Whatever of a listener is not a
// filter chain is the same for each port of its kind: Envoy puts other filter
// chains in the place of those that have changed, and leaves the connections of
// the others alone; any other change would drain all of them.
func (c *Config) listeners(p *order.Port) []*Resource {
	if p.Protocol == ir.UDP {
		return c.datagramListeners(p)
	}
	chains := c.chains(p)
	all := []*Resource{c.tcpListener(p, chains)}
	if len(c.trusted(p.Port)) > 0 {
		all = append(all, c.proxiedListener(p, chains))
	}
	if c.servesHTTP3(p) {
		all = append(all, c.quicListener(p))
	}
	return all
}

func (c *Config) tcpListener(p *order.Port, chains []*listenerv3.FilterChain) *Resource {
	l := &listenerv3.Listener{
		Name:                          listenerName(false, p.Port),
		StatPrefix:                    listenerName(false, p.Port),
		Address:                       c.address(p.Port, corev3.SocketAddress_TCP),
		FilterChains:                  chains,
		ListenerFiltersTimeout:        durationpb.New(handshakeTimeout),
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(connectionBuffer),
	}
	if speaksTLS(p) {
		l.ListenerFilters = []*listenerv3.ListenerFilter{inspectTLS()}
		l.DefaultFilterChain = nobody(p)
	}
	if sources := c.trusted(p.Port); len(sources) > 0 {
		l.FilterChains = append(slices.Clip(chains), c.handOver(p.Port, chains, sources)...)
	}
	return &Resource{Name: l.Name, Message: l, Origins: originsOf(p)}
}

// speaksTLS says whether a port's connections begin with a handshake. Ports of
// which all listeners are refused have no protocol of their own.
func speaksTLS(p *order.Port) bool { return p.Protocol == ir.HTTPS || p.Protocol == ir.TLS }

// originsOf returns the listeners of a port.
func originsOf(p *order.Port) []ir.Origin {
	all := make([]ir.Origin, 0, len(p.Listeners)+len(p.Streams))
	for _, l := range p.All() {
		all = append(all, originOf(l))
	}
	return all
}

func originOf(l *ir.Listener) ir.Origin {
	return ir.Origin{Object: l.Key.Owner, Section: l.Key.Section}
}

// address is where a port is bound. An unspecified address of IPv6 takes IPv4
// too.
func (c *Config) address(port uint16, protocol corev3.SocketAddress_Protocol) *corev3.Address {
	at := &corev3.SocketAddress{
		Protocol:      protocol,
		Address:       c.target.Address.String(),
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(int(port) + c.target.PortOffset)}, //nolint:gosec // Ports are 1 to 65535.
	}
	if c.target.Address == netip.IPv6Unspecified() {
		at.Ipv4Compat = true
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: at}}
}

// inspectTLS reads the server name off a hello, and leaves it where it is.
func inspectTLS() *listenerv3.ListenerFilter {
	return listenerFilter("tls_inspector", &tlsinspectorv3.TlsInspector{})
}

func listenerFilter(name string, config proto.Message) *listenerv3.ListenerFilter {
	return &listenerv3.ListenerFilter{
		Name:       "envoy.filters.listener." + name,
		ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: typed(config)},
	}
}

// fromAgent says that a resource comes over the stream that all others come by.
func fromAgent() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		ResourceApiVersion:    corev3.ApiVersion_V3,
	}
}
