package envoy

import (
	"math"
	"time"

	adaptivev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/adaptive_concurrency/v3"
	bodyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/body_size_limit/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
)

// heldFilters bound what requests hold, where the settings do. They are the same
// whatever the routes are.
func heldFilters(limits *ir.Limits) []*hcmv3.HttpFilter {
	var all []*hcmv3.HttpFilter
	if limits.Requests > 0 {
		all = append(all, requestsFilter(limits.Requests))
	}
	if limits.RequestBodyBytes > 0 {
		all = append(all, always("sluice.body", &bodyv3.BodySizeLimit{
			MaxRequestBytes: wrapperspb.UInt64(uint64(limits.RequestBodyBytes)),
		}))
	}
	return all
}

// shedStatus marks what is turned away, for the mapper that answers it: Envoy
// itself answers nothing else with it.
const shedStatus = 429

// requestsFilter bounds the requests under way. Envoy's only counter of those
// adapts to latencies; between two equal bounds there is nothing to adapt.
func requestsFilter(most int) *hcmv3.HttpFilter {
	bound := wrapperspb.UInt32(uint32(min(most, math.MaxInt32))) //nolint:gosec // It is no negative number.
	return always("sluice.requests", &adaptivev3.AdaptiveConcurrency{
		ConcurrencyControllerConfig: &adaptivev3.AdaptiveConcurrency_GradientControllerConfig{
			GradientControllerConfig: &adaptivev3.GradientControllerConfig{
				ConcurrencyLimitParams: &adaptivev3.GradientControllerConfig_ConcurrencyLimitCalculationParams{
					MinConcurrencyLimit: bound, MaxConcurrencyLimit: bound,
					ConcurrencyUpdateInterval: durationpb.New(time.Hour),
				},
				MinRttCalcParams: &adaptivev3.GradientControllerConfig_MinimumRTTCalculationParams{
					FixedValue: durationpb.New(time.Second), MinConcurrency: bound,
				},
			},
		},
		ConcurrencyLimitExceededStatus: &typev3.HttpStatus{Code: shedStatus},
	})
}
