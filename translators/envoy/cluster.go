package envoy

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"github.com/sluice-gateway/sluice/ir"
)

// cluster returns a backend's. Its endpoints come by themselves.
func (c *Config) cluster(b *ir.Backend) *Resource {
	name := clusterName(b.Key)
	return &Resource{Name: name, Message: &clusterv3.Cluster{
		Name:                 name,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: fromAgent(), ServiceName: endpointsName(b.Key.EndpointsKey)},
	}}
}

func (c *Config) endpoints(e *ir.Endpoints) *Resource {
	name := endpointsName(e.Key)
	locality := &endpointv3.LocalityLbEndpoints{}
	for _, at := range e.Endpoints {
		locality.LbEndpoints = append(locality.LbEndpoints, &endpointv3.LbEndpoint{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: &corev3.Address{
				Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
					Address: at.Address, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(at.Port)},
				}},
			}}},
		})
	}
	return &Resource{Name: name, Message: &endpointv3.ClusterLoadAssignment{
		ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{locality},
	}}
}
