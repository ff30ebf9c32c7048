package gatewayapi

import (
	"cmp"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// endpointsID names the endpoints of one port, found in one way.
type endpointsID struct {
	key  ir.EndpointsKey
	mode v1alpha1.EndpointsMode
}

// Endpoints returns the endpoints of the backends that the last Translate of a
// unit named, ordered by key. What no event has touched is the same pointer as
// before.
func (t *Translator) Endpoints(owner ir.Object) []*ir.Endpoints {
	u := t.units[owner]
	if u == nil {
		return nil
	}
	list := make([]*ir.Endpoints, 0, len(u.endpoints))
	for _, id := range u.endpoints {
		list = append(list, t.endpoints.Do(t.set, id, func(v *resources.View) *ir.Endpoints { return findEndpoints(v, id) }))
	}
	return list
}

// findEndpoints reads where one port of a Service is served.
func findEndpoints(view *resources.View, id endpointsID) *ir.Endpoints {
	found := &ir.Endpoints{Key: id.key, Endpoints: []ir.Endpoint{}}
	key := resources.Key{Kind: resources.Service, Namespace: id.key.Namespace, Name: id.key.Service}
	object, state := resources.Get[*corev1.Service](view, key)
	if state != resources.Present {
		return found
	}
	port := servicePort(object, id.key.Port)
	switch {
	case object.Spec.Type == corev1.ServiceTypeExternalName:
		found.Endpoints = externalEndpoints(view, object, id.key.Port)
	case port == nil:
	case id.mode == v1alpha1.EndpointsClusterIP && len(clusterIPs(object)) > 0:
		for _, ip := range clusterIPs(object) {
			found.Endpoints = append(found.Endpoints, ir.Endpoint{Address: ip, Port: id.key.Port})
		}
	default:
		found.Endpoints = podEndpoints(view, key, port)
	}
	found.Endpoints = ordered(found.Endpoints)
	return found
}

// clusterIPs are the Service's own addresses; none for a headless one, which is
// then served by its pods.
func clusterIPs(object *corev1.Service) []string {
	ips := object.Spec.ClusterIPs
	if len(ips) == 0 {
		ips = []string{object.Spec.ClusterIP}
	}
	return slices.DeleteFunc(slices.Clone(ips), func(ip string) bool {
		addr, err := netip.ParseAddr(ip)
		return err != nil || !mayServe(addr)
	})
}

func podEndpoints(view *resources.View, key resources.Key, port *corev1.ServicePort) []ir.Endpoint {
	var found []ir.Endpoint
	for _, name := range view.List(slicesByService, key) {
		slice, state := resources.Get[*discoveryv1.EndpointSlice](view, name)
		if state != resources.Present || slice.AddressType == discoveryv1.AddressTypeFQDN {
			continue
		}
		for _, number := range slicePorts(slice, port) {
			for i := range slice.Endpoints {
				found = append(found, sliceEndpoints(&slice.Endpoints[i], number)...)
			}
		}
	}
	return found
}

// slicePorts are the numbers that a slice has for a Service's port: slices name
// ports as the Service does, and have named target ports resolved.
func slicePorts(slice *discoveryv1.EndpointSlice, port *corev1.ServicePort) []uint16 {
	var numbers []uint16
	for i := range slice.Ports {
		p := &slice.Ports[i]
		if orDefault(p.Name, "") != port.Name || p.Port == nil || *p.Port < 1 || *p.Port > 65535 ||
			cmp.Or(orDefault(p.Protocol, ""), corev1.ProtocolTCP) != cmp.Or(port.Protocol, corev1.ProtocolTCP) {
			continue
		}
		numbers = append(numbers, uint16(*p.Port))
	}
	return numbers
}

// sliceEndpoints reads one endpoint as kube-proxy does. Ready and serving are
// true where nothing says otherwise; what is terminating but still serves is
// Draining.
func sliceEndpoints(e *discoveryv1.Endpoint, port uint16) []ir.Endpoint {
	ready := orDefault(e.Conditions.Ready, true)
	draining := !ready && orDefault(e.Conditions.Serving, true) && orDefault(e.Conditions.Terminating, false)
	if !ready && !draining {
		return nil
	}
	var found []ir.Endpoint
	for _, text := range e.Addresses {
		addr, err := netip.ParseAddr(text)
		if err != nil || !mayServe(addr) {
			continue
		}
		made := ir.Endpoint{Address: addr.String(), Port: port, Zone: orDefault(e.Zone, ""), Draining: draining}
		readHints(&made, e.Hints)
		found = append(found, made)
	}
	return found
}

// readHints reads for whom an endpoint is meant. Which endpoints a proxy uses is
// decided where its place is known.
func readHints(made *ir.Endpoint, hints *discoveryv1.EndpointHints) {
	if hints == nil {
		return
	}
	for _, zone := range hints.ForZones {
		made.ForZones = append(made.ForZones, zone.Name)
	}
	for _, node := range hints.ForNodes {
		made.ForNodes = append(made.ForNodes, node.Name)
	}
}

// mayServe refuses what no Pod has: whoever writes EndpointSlices must not lead
// the proxy to this link or to a metadata service. Loopback is what a directory
// on a developer's machine has, and an API server refuses it by itself.
func mayServe(addr netip.Addr) bool {
	class := addressClass(addr)
	return class == "" || class == loopback
}

// ordered sorts endpoints and keeps each address and port once: one that is
// ready somewhere is not draining.
func ordered(list []ir.Endpoint) []ir.Endpoint {
	slices.SortFunc(list, func(a, b ir.Endpoint) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Port, b.Port), compareBool(a.Draining, b.Draining), cmp.Compare(a.Zone, b.Zone))
	})
	return slices.CompactFunc(list, func(a, b ir.Endpoint) bool { return a.Address == b.Address && a.Port == b.Port })
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
