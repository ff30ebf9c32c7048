package ads

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	runtimev3 "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	"google.golang.org/protobuf/proto"
)

// Kind is one of the kinds of resources.
type Kind int

// The kinds.
const (
	Secrets Kind = iota
	Endpoints
	Clusters
	Listeners
	Routes
	Filters
	Runtimes
	kinds
)

// empties are an empty resource of each kind.
var empties = [kinds]proto.Message{
	Secrets: &tlsv3.Secret{}, Endpoints: &endpointv3.ClusterLoadAssignment{}, Clusters: &clusterv3.Cluster{},
	Listeners: &listenerv3.Listener{}, Routes: &routev3.RouteConfiguration{}, Filters: &corev3.TypedExtensionConfig{},
	Runtimes: &runtimev3.Runtime{},
}

// words name the kinds for people.
var words = [kinds]string{"secrets", "endpoints", "clusters", "listeners", "routes", "filters", "runtimes"}

// String returns the kind's name.
func (k Kind) String() string { return words[k] }

// url is the kind's name in the protocol.
func (k Kind) url() string {
	return "type.googleapis.com/" + string(empties[k].ProtoReflect().Descriptor().FullName())
}

// kindOf returns the kind that a type's URL names.
func kindOf(url string) (Kind, bool) {
	for k := range kinds {
		if k.url() == url {
			return k, true
		}
	}
	return 0, false
}
