package envoy

import (
	"os"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	internalv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/bootstrap/internal_listener/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-gateway/sluice/dataplanes/agent/folder"
	"github.com/sluice-gateway/sluice/dataplanes/envoy/record"
	"github.com/sluice-gateway/sluice/dataplanes/envoy/roots"
	translator "github.com/sluice-gateway/sluice/translators/envoy"
)

// agentCluster is where Envoy finds this program.
const agentCluster = "sluice-agent"

// files are a process's files, all in a folder of its own.
type files struct{ *folder.Folder }

func (f files) ads() string       { return f.Path("ads") }
func (f files) admin() string     { return f.Path("admin") }
func (f files) bootstrap() string { return f.Path("bootstrap.json") }
func (f files) systemCAs() string { return f.Path("system-cas.pem") }

// write writes what Envoy reads when it starts.
func (f files) write(l launch) error {
	config := f.config(l)
	record.Keep(config)
	text, err := protojson.Marshal(config)
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.systemCAs(), roots.System(os.Getenv), 0o600); err != nil {
		return err
	}
	return os.WriteFile(f.bootstrap(), text, 0o600)
}

func (f files) config(l launch) *bootstrapv3.Bootstrap {
	adsSource := &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
	return &bootstrapv3.Bootstrap{
		Node: &corev3.Node{Id: l.node, Cluster: "sluice", Locality: l.locality},
		Admin: &bootstrapv3.Admin{Address: &corev3.Address{Address: &corev3.Address_Pipe{
			Pipe: &corev3.Pipe{Path: f.admin(), Mode: 0o600},
		}}},
		DynamicResources: &bootstrapv3.Bootstrap_DynamicResources{
			CdsConfig: adsSource, LdsConfig: adsSource,
			AdsConfig: &corev3.ApiConfigSource{
				ApiType: corev3.ApiConfigSource_DELTA_GRPC, TransportApiVersion: corev3.ApiVersion_V3,
				SetNodeOnFirstMessageOnly: true,
				GrpcServices: []*corev3.GrpcService{{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
					EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: agentCluster},
				}}},
			},
		},
		LayeredRuntime:  bounded(translator.Runtime(), adsSource),
		OverloadManager: overload(l.allowed),
		// Trusted PROXY headers are read by listeners inside of the process.
		BootstrapExtensions: []*corev3.TypedExtensionConfig{{
			Name: "envoy.bootstrap.internal_listener", TypedConfig: packed(&internalv3.InternalListener{}),
		}},
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{Clusters: []*clusterv3.Cluster{f.agent()}},
	}
}

// bounded adds the layer of the runtime that comes with the resources.
func bounded(runtime *bootstrapv3.LayeredRuntime, source *corev3.ConfigSource) *bootstrapv3.LayeredRuntime {
	runtime.Layers = append(runtime.Layers, &bootstrapv3.RuntimeLayer{
		Name: translator.Bounds,
		LayerSpecifier: &bootstrapv3.RuntimeLayer_RtdsLayer_{RtdsLayer: &bootstrapv3.RuntimeLayer_RtdsLayer{
			Name: translator.Bounds, RtdsConfig: source,
		}},
	})
	return runtime
}

// agent is the cluster of this program.
func (f files) agent() *clusterv3.Cluster {
	address := &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: f.ads()}}}
	return &clusterv3.Cluster{
		Name: agentCluster, ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout: durationpb.New(time.Second),
		LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: agentCluster, Endpoints: []*endpointv3.LocalityLbEndpoints{{
			LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address}}}},
		}}},
		TypedExtensionProtocolOptions: map[string]*anypb.Any{
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packed(&httpv3.HttpProtocolOptions{
				UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
					ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: &corev3.Http2ProtocolOptions{}},
				}},
			}),
		},
	}
}

func packed(m proto.Message) *anypb.Any {
	body, err := anypb.New(m)
	if err != nil {
		panic("a message of ours cannot be packed: " + err.Error())
	}
	return body
}
