package envoy

import (
	"math"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	leastv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/least_request/v3"
	ringv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/ring_hash/v3"
	roundv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/round_robin/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
)

const (
	// ringSize is how many places a consistent hash has at least, which is memory:
	// 128 KiB a backend, as the Go proxy's.
	ringSize = 1 << 13
	// panicPercent is the share of endpoints that must be in use for those that are
	// ejected to be left out: where all are ejected, all are used.
	panicPercent = 1
	// sweep is how often Envoy looks whether an ejected endpoint's time is over.
	sweep = time.Second
)

// balancingPolicy says how an endpoint is chosen.
func balancingPolicy(b ir.Balancing, v variant) *clusterv3.LoadBalancingPolicy {
	switch {
	case b.Algorithm == ir.ConsistentHash && v != inTurn:
		return policy("envoy.load_balancing_policies.ring_hash", &ringv3.RingHash{MinimumRingSize: wrapperspb.UInt64(ringSize)})
	case b.Algorithm == ir.LeastRequest:
		// Two at random, with one twice among them, would have a quarter of the
		// requests wait at the busier of two endpoints.
		return policy("envoy.load_balancing_policies.least_request", &leastv3.LeastRequest{
			SelectionMethod: leastv3.LeastRequest_FULL_SCAN,
		})
	}
	return policy("envoy.load_balancing_policies.round_robin", &roundv3.RoundRobin{})
}

func policy(name string, m proto.Message) *clusterv3.LoadBalancingPolicy {
	return &clusterv3.LoadBalancingPolicy{Policies: []*clusterv3.LoadBalancingPolicy_Policy{{
		TypedExtensionConfig: &corev3.TypedExtensionConfig{Name: name, TypedConfig: typed(m)},
	}}}
}

func sharedBalancing() *clusterv3.Cluster_CommonLbConfig {
	return &clusterv3.Cluster_CommonLbConfig{HealthyPanicThreshold: &typev3.Percent{Value: panicPercent}}
}

// outlierDetection leaves out endpoints that cannot be connected to. That a
// connection was made counts as well, so that what breaks off later is a failure
// of one in a row at most.
func outlierDetection(e *ir.Ejection) *clusterv3.OutlierDetection {
	if e == nil {
		return nil
	}
	never := wrapperspb.UInt32(0)
	return &clusterv3.OutlierDetection{
		SplitExternalLocalOriginErrors:         true,
		ConsecutiveLocalOriginFailure:          wrapperspb.UInt32(uint32(min(e.Failures, math.MaxInt32))), //nolint:gosec // It is at least 1.
		EnforcingConsecutiveLocalOriginFailure: wrapperspb.UInt32(100),
		Interval:                               durationpb.New(min(sweep, max(time.Duration(e.BaseTime), time.Millisecond))),
		BaseEjectionTime:                       durationpb.New(max(time.Duration(e.BaseTime), time.Millisecond)),
		MaxEjectionTime:                        durationpb.New(max(time.Duration(e.MaxTime), time.Duration(e.BaseTime), time.Millisecond)),
		MaxEjectionPercent:                     wrapperspb.UInt32(uint32(e.MaxPercent)), //nolint:gosec // It is 1 to 100.
		Consecutive_5Xx:                        never, EnforcingConsecutive_5Xx: never,
		ConsecutiveGatewayFailure: never, EnforcingConsecutiveGatewayFailure: never,
		EnforcingSuccessRate: never, EnforcingLocalOriginSuccessRate: never,
		EnforcingFailurePercentage: never, EnforcingFailurePercentageLocalOrigin: never,
	}
}
