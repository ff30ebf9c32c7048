package envoy

import (
	"slices"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
)

// copied is the variant of a backend that gets copies of requests. Nobody waits
// for its answers, so that one that hangs must not collect them.
const copied variant = "copy"

const (
	// copyPatience bounds how long a copy may take, its answer included.
	copyPatience = 15 * time.Second
	// copiesRunning and copiesWaiting bound the copies for one backend; further ones
	// are dropped.
	copiesRunning = 64
	copiesWaiting = 1024
)

// boundCopies holds a cluster to what copies may cost.
func boundCopies(m *clusterv3.Cluster, key ir.BackendKey) {
	options := httpOptions(key.Protocol)
	if options == nil {
		return
	}
	options.CommonHttpProtocolOptions.MaxStreamDuration = durationpb.New(copyPatience)
	m.TypedExtensionProtocolOptions = httpProtocolOptions(options)
	m.CircuitBreakers = allow(copiesRunning)
	thresholds := m.CircuitBreakers.Thresholds[0]
	thresholds.MaxPendingRequests = wrapperspb.UInt32(copiesWaiting)
	thresholds.MaxRequests = wrapperspb.UInt32(copiesRunning + copiesWaiting)
}

// addCopied adds the variant for every backend that gets copies.
func (c *Config) addCopied(all map[ir.BackendKey][]variant) {
	add := func(filters []ir.Filter) {
		for i := range filters {
			if m := filters[i].Mirror; m != nil && !slices.Contains(all[m.Backend], copied) {
				all[m.Backend] = append([]variant{copied}, all[m.Backend]...)
			}
		}
	}
	for _, route := range c.unit.Proxy.Routes {
		for _, rule := range route.Rules {
			add(rule.Filters)
			for i := range rule.Backends {
				add(rule.Backends[i].Filters)
			}
		}
	}
}

func (w *walk) mirrorPolicies() []*routev3.RouteAction_RequestMirrorPolicy {
	var all []*routev3.RouteAction_RequestMirrorPolicy
	for _, m := range w.mirrors {
		if m.Numerator == 0 {
			continue
		}
		all = append(all, &routev3.RouteAction_RequestMirrorPolicy{
			Cluster: variantName(m.Backend, copied), RuntimeFraction: part(m), DisableShadowHostSuffixAppend: true,
		})
	}
	return all
}

// part writes a mirror's share in the coarsest way that is exact, or in ten
// thousandths: shares of backends go by the same random number, in millionths, and
// a mirror of half of the requests must not be one of the first half's backend.
func part(m *ir.Mirror) *corev3.RuntimeFractionalPercent {
	denominators := []typev3.FractionalPercent_DenominatorType{
		typev3.FractionalPercent_HUNDRED, typev3.FractionalPercent_TEN_THOUSAND, typev3.FractionalPercent_MILLION,
	}
	sizes := []int64{100, 10_000, million}
	at := slices.IndexFunc(sizes, func(size int64) bool { return int64(m.Numerator)*size%int64(m.Denominator) == 0 })
	switch {
	case at >= 0:
	case int64(m.Numerator)*sizes[1] >= int64(m.Denominator):
		at = 1
	default:
		at = 2
	}
	numerator := min(sizes[at], (int64(m.Numerator)*sizes[at]+int64(m.Denominator)/2)/int64(m.Denominator))
	return &corev3.RuntimeFractionalPercent{DefaultValue: &typev3.FractionalPercent{
		Numerator: uint32(max(0, numerator)), Denominator: denominators[at], //nolint:gosec // It is at most a million.
	}}
}
