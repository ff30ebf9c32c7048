package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// listeners returns what listens at a port.
func (c *Config) listeners(p *order.Port) []*Resource {
	if p.Protocol != ir.HTTP {
		return nil
	}
	name := listenerName(false, p.Port)
	return []*Resource{{Name: name, Message: &listenerv3.Listener{
		Name:    name,
		Address: c.address(p),
		FilterChains: []*listenerv3.FilterChain{{
			Filters: []*listenerv3.Filter{{
				Name:       "envoy.filters.network.http_connection_manager",
				ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: typed(c.manager(p.Listeners[0].Listener))},
			}},
		}},
	}}}
}

func (c *Config) address(p *order.Port) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       c.target.Address.String(),
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(int(p.Port) + c.target.PortOffset)}, //nolint:gosec // Ports are 1 to 65535.
	}}}
}

// fromAgent says that a resource comes over the stream that all others come by.
func fromAgent() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		ResourceApiVersion:    corev3.ApiVersion_V3,
	}
}
