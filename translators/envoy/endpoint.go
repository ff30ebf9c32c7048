package envoy

import (
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/place"
)

// overprovision makes Envoy stay with a tier for as long as one endpoint of it is in
// use: it goes on to the next one when this many percent of what is healthy are
// less than all.
const overprovision = 1_000_000

// endpoints returns where a Service's port is served. Tiers are Envoy's
// priorities; an endpoint that changes its tier keeps its connections.
func (c *Config) endpoints(e *ir.Endpoints) *Resource {
	name := endpointsName(e.Key)
	m := &endpointv3.ClusterLoadAssignment{
		ClusterName: name,
		Policy:      &endpointv3.ClusterLoadAssignment_Policy{OverprovisioningFactor: wrapperspb.UInt32(overprovision)},
	}
	for tier, list := range c.tiers(e) {
		if len(list) == 0 {
			continue
		}
		locality := &endpointv3.LocalityLbEndpoints{Priority: uint32(tier)} //nolint:gosec // There are three.
		for _, at := range list {
			locality.LbEndpoints = append(locality.LbEndpoints, endpointAt(at, corev3.SocketAddress_TCP))
		}
		m.Endpoints = append(m.Endpoints, locality)
	}
	return &Resource{Name: name, Message: m}
}

// tiers sorts endpoints by how near to being chosen they are.
func (c *Config) tiers(e *ir.Endpoints) [place.Tiers][]netip.AddrPort {
	return place.Place{Zone: c.target.Zone, Node: c.target.Node}.Tiers(e.Endpoints)
}

func endpointAt(at netip.AddrPort, protocol corev3.SocketAddress_Protocol) *endpointv3.LbEndpoint {
	return &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
		Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Protocol: protocol, Address: at.Addr().String(),
			PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(at.Port())},
		}}},
	}}}
}
