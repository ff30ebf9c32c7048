package envoy

import (
	"time"

	overloadv3 "github.com/envoyproxy/go-control-plane/envoy/config/overload/v3"
	connectionsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	heapv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/fixed_heap/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-gateway/sluice/dataplanes/internal/allowance"
)

// allowed is what an Envoy may have.
type allowed struct {
	// memory is what its heap may take, in bytes; 0 is no bound.
	memory uint64
	// connections are those of clients; 0 is no bound.
	connections int64
}

// spareDescriptors are left to Envoy itself: listeners, files, the admin socket.
const spareDescriptors = 256

// allowedHere leaves a quarter of the memory to this program, and half of the
// descriptors to connections to backends.
func allowedHere() allowed {
	a := allowed{memory: uint64(allowance.Memory(allowance.System)) / 4 * 3} //nolint:gosec // It is not negative.
	if n := allowance.Descriptors(); n > 4*spareDescriptors {
		a.connections = int64(min(n, 1<<31)-spareDescriptors) / 100 * 45 //nolint:gosec // It is small enough.
	}
	return a
}

const (
	heapMonitor        = "envoy.resource_monitors.fixed_heap"
	connectionsMonitor = "envoy.resource_monitors.global_downstream_max_connections"
)

// overload is what Envoy does as its memory runs out, in the order in which it does
// so: it gives back what it holds in reserve, ends connections with the request
// that is under way, resets the streams that hold most, and turns new requests,
// then new connections, away.
func overload(a allowed) *overloadv3.OverloadManager {
	m := &overloadv3.OverloadManager{RefreshInterval: durationpb.New(250 * time.Millisecond)}
	if a.connections > 0 {
		m.ResourceMonitors = append(m.ResourceMonitors, &overloadv3.ResourceMonitor{
			Name: connectionsMonitor, ConfigType: &overloadv3.ResourceMonitor_TypedConfig{
				TypedConfig: packed(&connectionsv3.DownstreamConnectionsConfig{MaxActiveDownstreamConnections: a.connections}),
			},
		})
	}
	if a.memory == 0 {
		return m
	}
	m.ResourceMonitors = append(m.ResourceMonitors, &overloadv3.ResourceMonitor{
		Name: heapMonitor, ConfigType: &overloadv3.ResourceMonitor_TypedConfig{
			TypedConfig: packed(&heapv3.FixedHeapConfig{MaxHeapSizeBytes: a.memory}),
		},
	})
	// Streams are told apart from 1 MiB on.
	m.BufferFactoryConfig = &overloadv3.BufferFactoryConfig{MinimumAccountToTrackPowerOfTwo: 20}
	m.Actions = []*overloadv3.OverloadAction{
		from("envoy.overload_actions.shrink_heap", 0.85),
		from("envoy.overload_actions.disable_http_keepalive", 0.90),
		{Name: "envoy.overload_actions.reset_high_memory_stream", Triggers: []*overloadv3.Trigger{{
			Name: heapMonitor, TriggerOneof: &overloadv3.Trigger_Scaled{
				Scaled: &overloadv3.ScaledTrigger{ScalingThreshold: 0.90, SaturationThreshold: 0.98},
			},
		}}},
		from("envoy.overload_actions.stop_accepting_requests", 0.95),
		from("envoy.overload_actions.reject_incoming_connections", 0.98),
	}
	return m
}

// from is an action that is taken while a share of the memory is used.
func from(action string, share float64) *overloadv3.OverloadAction {
	return &overloadv3.OverloadAction{Name: action, Triggers: []*overloadv3.Trigger{{
		Name: heapMonitor, TriggerOneof: &overloadv3.Trigger_Threshold{Threshold: &overloadv3.ThresholdTrigger{Value: share}},
	}}}
}
