package envoy

import (
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/sluice-gateway/sluice/ir/order"
)

// streamChains returns the filter chains of a port's listeners of TLS and TCP.
// Those of TLS match by forServerName, and one without a route keeps its names.
func (c *Config) streamChains(*order.Port) []*listenerv3.FilterChain { return nil }

// datagramListeners returns what listens at a port of UDP.
func (c *Config) datagramListeners(*order.Port) []*Resource { return nil }
