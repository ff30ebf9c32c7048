package envoy

import (
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	connectionlimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/connection_limit/v3"
	runtimev3 "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
)

// Bounds names the layer of Envoy's runtime that is in Config.Runtimes.
const Bounds = "bounds"

// runtimes bound the connections of each port. It is nothing of a listener, so
// that another bound drains no connection; Envoy closes one more at once.
func (c *Config) runtimes() []*Resource {
	fields := map[string]*structpb.Value{}
	if most := c.unit.Proxy.Settings.Limits.Connections; most > 0 {
		for _, p := range c.ports {
			if p.Protocol != ir.UDP {
				fields["envoy.resource_limits.listener."+listenerName(false, p.Port)+".connection_limit"] = structpb.NewNumberValue(float64(most))
			}
		}
	}
	return []*Resource{{Name: Bounds, Message: &runtimev3.Runtime{Name: Bounds, Layer: &structpb.Struct{Fields: fields}}}}
}

// saysNothing says whether a layer of the runtime is there only to be found.
func saysNothing(r *Resource) bool {
	layer, ok := r.Message.(*runtimev3.Runtime)
	return ok && len(layer.Layer.Fields) == 0
}

// boundQUIC bounds the connections of a chain: those of QUIC are in no listener's
// count. It is nil for no bound.
func (c *Config) boundQUIC() []*listenerv3.Filter {
	most := c.unit.Proxy.Settings.Limits.Connections
	if most <= 0 {
		return nil
	}
	return []*listenerv3.Filter{networkFilter("envoy.filters.network.connection_limit", &connectionlimitv3.ConnectionLimit{
		StatPrefix: "quic", MaxConnections: wrapperspb.UInt64(uint64(most)),
	})}
}
