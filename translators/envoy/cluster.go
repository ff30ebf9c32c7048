package envoy

import (
	"math"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
)

const (
	// noCluster names no cluster: what leads to it is refused. Names of clusters
	// hold slashes.
	noCluster = "none"
	// unbounded stands for no bound where Envoy has one of its own otherwise.
	unbounded = math.MaxUint32
	// noTime stands for a time-out that is off where Envoy has one otherwise.
	noTime = 24 * time.Hour
)

// The kernel tells of a peer that is gone without a word, as it does for the Go
// proxy (net.Dialer): in seconds, but for the number of probes.
const (
	keepAliveTime   = 15
	keepAliveEvery  = 15
	keepAliveProbes = 9
)

// variant is a backend's cluster as something else than the backend asks for.
type variant string

// The variants. Their names are parts of those of clusters.
const (
	// plain is what the backend says.
	plain variant = ""
	// inTurn has the requests without a key of a backend with a consistent hash,
	// which go round.
	inTurn variant = "turn"
)

// greeted is the variant whose endpoints get a PROXY header first.
func greeted(version ir.ProxyProtocolVersion) variant {
	if version == "" {
		return plain
	}
	return variant("proxy-" + version)
}

// variantName is "shop/cart/8080/tcp/proxy-v1".
func variantName(key ir.BackendKey, v variant) string {
	if v == plain {
		return clusterName(key)
	}
	return clusterName(key) + "/" + string(v)
}

// cluster returns one of a backend's. Its endpoints come by themselves, so that a
// change of them is no change of the cluster, and of all its variants at once.
func (c *Config) cluster(b *ir.Backend, v variant) *Resource {
	name := variantName(b.Key, v)
	m := &clusterv3.Cluster{
		Name: name,
		// All variants count as one: they are one backend.
		AltStatName:                   clusterName(b.Key),
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:              &clusterv3.Cluster_EdsClusterConfig{EdsConfig: fromAgent(), ServiceName: endpointsName(b.Key.EndpointsKey)},
		ConnectTimeout:                orNoTime(c.unit.Proxy.Settings.Timeouts.Connect),
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(connectionBuffer),
		CircuitBreakers:               allow(unbounded),
		OutlierDetection:              outlierDetection(b.Ejection),
		CommonLbConfig:                sharedBalancing(),
		LoadBalancingPolicy:           balancingPolicy(b.Balancing, v),
		TypedExtensionProtocolOptions: protocolOptions(b.Key.Protocol),
		UpstreamConnectionOptions: &clusterv3.UpstreamConnectionOptions{TcpKeepalive: &corev3.TcpKeepalive{
			KeepaliveTime: wrapperspb.UInt32(keepAliveTime), KeepaliveInterval: wrapperspb.UInt32(keepAliveEvery),
			KeepaliveProbes: wrapperspb.UInt32(keepAliveProbes),
		}},
	}
	if !c.secure(m, b) {
		// Nobody is there to speak to, in plain text least of all: 503.
		m.ClusterDiscoveryType, m.EdsClusterConfig = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}, nil
	}
	greet(m, v)
	if v == copied {
		boundCopies(m, b.Key)
	}
	return &Resource{Name: name, Message: m}
}

func orNoTime(d ir.Duration) *durationpb.Duration {
	if d <= 0 {
		return durationpb.New(noTime)
	}
	return durationpb.New(time.Duration(d))
}

// allow lets so many connections through, and any number of all else: without it
// Envoy refuses the 1,025th request, and the fourth retry at a time.
func allow(connections uint32) *clusterv3.CircuitBreakers {
	thresholds := &clusterv3.CircuitBreakers_Thresholds{
		MaxConnections:     wrapperspb.UInt32(connections),
		MaxPendingRequests: wrapperspb.UInt32(unbounded),
		MaxRequests:        wrapperspb.UInt32(unbounded),
		MaxRetries:         wrapperspb.UInt32(unbounded),
	}
	return &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{thresholds}}
}

// protocolOptions say which HTTP is spoken; nil for what is not HTTP.
func protocolOptions(p ir.BackendProtocol) map[string]*anypb.Any {
	options := httpOptions(p)
	if options == nil {
		return nil
	}
	return httpProtocolOptions(options)
}

func httpProtocolOptions(options *httpv3.HttpProtocolOptions) map[string]*anypb.Any {
	return map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(options)}
}
