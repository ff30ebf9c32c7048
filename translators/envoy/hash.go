package envoy

import (
	"regexp"

	matcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	specifierv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/router/cluster_specifiers/matcher/v3"

	"github.com/sluice-gateway/sluice/ir"
)

// leadTo sends what a route matches to a backend, by its hash policy where it has
// one. Requests without a key go in turn, which Envoy's consistent hashes do not
// do: a cluster of the same endpoints has them.
func (w *walk) leadTo(action *routev3.RouteAction, key ir.BackendKey) {
	action.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: clusterName(key)}
	known := w.upstreams[key]
	if known == nil {
		return
	}
	b := known.backend
	action.HashPolicy = hashPolicy(b)
	if !mayLackKey(b.Balancing) {
		return
	}
	action.ClusterSpecifier = &routev3.RouteAction_InlineClusterSpecifierPlugin{
		InlineClusterSpecifierPlugin: &routev3.ClusterSpecifierPlugin{Extension: &corev3.TypedExtensionConfig{
			Name: "envoy.router.cluster_specifier_plugin.matcher",
			TypedConfig: typed(&specifierv3.MatcherClusterSpecifier{
				ClusterMatcher: keyed(b),
			}),
		}},
	}
}

// keyed tells requests with a key from those without.
func keyed(b *ir.Backend) *matcherv3.Matcher {
	name, pattern := keyPattern(b.Balancing.Hash)
	m := ladder([]*rung{{Predicate: fits(header(name), pattern), OnMatch: toCluster(clusterName(b.Key))}})
	m.OnNoMatch = toCluster(variantName(b.Key, inTurn))
	return m
}

func toCluster(name string) *matcherv3.Matcher_OnMatch {
	return &matcherv3.Matcher_OnMatch{OnMatch: &matcherv3.Matcher_OnMatch_Action{
		Action: extension("cluster", &specifierv3.ClusterAction{Cluster: name}),
	}}
}

// hashPolicy is what a backend's consistent hash goes by; nil where it has none.
func hashPolicy(b *ir.Backend) []*routev3.RouteAction_HashPolicy {
	if b.Balancing.Algorithm != ir.ConsistentHash {
		return nil
	}
	one := &routev3.RouteAction_HashPolicy{}
	switch b.Balancing.Hash.Kind {
	case ir.HashHeader:
		one.PolicySpecifier = &routev3.RouteAction_HashPolicy_Header_{
			Header: &routev3.RouteAction_HashPolicy_Header{HeaderName: hashHeader(b.Balancing.Hash.Name)},
		}
	case ir.HashCookie:
		one.PolicySpecifier = &routev3.RouteAction_HashPolicy_Cookie_{
			Cookie: &routev3.RouteAction_HashPolicy_Cookie{Name: b.Balancing.Hash.Name},
		}
	default:
		one.PolicySpecifier = &routev3.RouteAction_HashPolicy_ConnectionProperties_{
			ConnectionProperties: &routev3.RouteAction_HashPolicy_ConnectionProperties{SourceIp: true},
		}
	}
	return []*routev3.RouteAction_HashPolicy{one}
}

func hashHeader(name string) string {
	if name == "host" {
		return ":authority"
	}
	return name
}

// mayLackKey says whether there may be requests that a backend's consistent hash
// has no key for. Every client has an address, and every request a host.
func mayLackKey(b ir.Balancing) bool {
	switch {
	case b.Algorithm != ir.ConsistentHash:
		return false
	case b.Hash.Kind == ir.HashHeader:
		return b.Hash.Name != "host"
	}
	return b.Hash.Kind == ir.HashCookie
}

// keyPattern matches the value of the header that a request with a key has.
func keyPattern(k ir.HashKey) (header, pattern string) {
	if k.Kind == ir.HashCookie {
		return "cookie", `(?:.*;)?\s*` + regexp.QuoteMeta(k.Name) + `=[^;]+(?:;.*)?`
	}
	return k.Name, ".+"
}
