package provision

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
)

// mostAddresses are as many as a Gateway's status takes.
const mostAddresses = 16

// reach is how clients come to a unit.
type reach struct {
	in *Input
	// service is nil where there is none, or none of ours.
	service *corev1.Service
	// nodes are there for type NodePort alone.
	nodes []corev1.Node
	pods  []corev1.Pod
}

// addresses are those of the type that the Service has by now.
func (r *reach) addresses() []dataplanes.Address {
	var list []dataplanes.Address
	switch {
	case r.service == nil:
	case r.service.Spec.Type == corev1.ServiceTypeLoadBalancer:
		list = r.balancer()
	case r.service.Spec.Type == corev1.ServiceTypeNodePort:
		list = r.ofNodes()
	default:
		for _, ip := range r.service.Spec.ClusterIPs {
			if ip != corev1.ClusterIPNone && ip != "" {
				list = append(list, dataplanes.Address{Value: ip})
			}
		}
	}
	return list[:min(len(list), mostAddresses)]
}

func (r *reach) balancer() []dataplanes.Address {
	var list []dataplanes.Address
	for _, in := range r.service.Status.LoadBalancer.Ingress {
		if in.IP != "" {
			list = append(list, dataplanes.Address{Value: in.IP})
		}
		if in.Hostname != "" {
			list = append(list, dataplanes.Address{Value: in.Hostname, Hostname: true})
		}
	}
	return list
}

// ofNodes are addresses of nodes, in order of their names: from outside of the
// cluster where any node has one, else from inside. Those that are asked for are
// taken alone, where nodes have them.
func (r *reach) ofNodes() []dataplanes.Address {
	nodes := slices.DeleteFunc(slices.Clone(r.nodes), func(n corev1.Node) bool { return !nodeReady(&n) || !r.takes(&n) })
	slices.SortFunc(nodes, func(a, b corev1.Node) int { return cmp.Compare(a.Name, b.Name) })
	asked := staticIPs(r.in.Addresses)
	list := ofType(nodes, corev1.NodeExternalIP, nil)
	if len(asked) > 0 {
		list = append(ofType(nodes, corev1.NodeExternalIP, asked), ofType(nodes, corev1.NodeInternalIP, asked)...)
	} else if len(list) == 0 {
		list = ofType(nodes, corev1.NodeInternalIP, nil)
	}
	return list
}

// ofType are the addresses of a type; those of a list alone, where there is one.
func ofType(nodes []corev1.Node, kind corev1.NodeAddressType, only []string) []dataplanes.Address {
	var list []dataplanes.Address
	for i := range nodes {
		for _, a := range nodes[i].Status.Addresses {
			if made := (dataplanes.Address{Value: a.Address}); a.Type == kind && (only == nil || has(only, a.Address)) && !slices.Contains(list, made) {
				list = append(list, made)
			}
		}
	}
	return list
}

// takes reports whether a node takes traffic for the Service: with policy Local,
// only one with a pod that serves.
func (r *reach) takes(n *corev1.Node) bool {
	return r.service.Spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal ||
		slices.ContainsFunc(r.pods, func(pod corev1.Pod) bool { return pod.Spec.NodeName == n.Name && serving(&pod) })
}

func nodeReady(n *corev1.Node) bool {
	return n.DeletionTimestamp == nil && slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// ports say which ports of the nodes lead to listeners, where that is how clients
// come.
func (r *reach) ports() map[uint16]string {
	if r.service == nil || r.service.Spec.Type != corev1.ServiceTypeNodePort {
		return nil
	}
	by := map[uint16][]corev1.ServicePort{}
	for _, p := range r.service.Spec.Ports {
		if p.NodePort != 0 {
			by[uint16(p.Port)] = append(by[uint16(p.Port)], p)
		}
	}
	said := map[uint16]string{}
	for number, ports := range by {
		said[number] = nodePortsText(ports)
	}
	return said
}

func nodePortsText(ports []corev1.ServicePort) string {
	if !slices.ContainsFunc(ports, func(p corev1.ServicePort) bool { return p.NodePort != ports[0].NodePort }) {
		return fmt.Sprintf("node port %d", ports[0].NodePort)
	}
	var texts []string
	for _, p := range ports {
		texts = append(texts, fmt.Sprintf("%d (%s)", p.NodePort, p.Protocol))
	}
	return "node ports " + strings.Join(texts, " and ")
}

// lack says which address is missing.
func (r *reach) lack(have []dataplanes.Address) *dataplanes.Lack {
	missing := r.missing(have)
	switch {
	case len(missing) > 0 && r.service != nil:
		return &dataplanes.Lack{Reason: string(gatewayv1.GatewayReasonAddressNotUsable), Message: r.notGiven(missing)}
	case len(have) > 0 && r.wantsHostname() && !slices.ContainsFunc(have, func(a dataplanes.Address) bool { return a.Hostname }):
		return &dataplanes.Lack{Reason: string(gatewayv1.GatewayReasonAddressNotAssigned), Message: fmt.Sprintf(
			"spec.addresses asks for a hostname, and %s has IP addresses alone; ask for type IPAddress", r.name())}
	case len(have) > 0:
		return nil
	case r.service == nil && len(r.in.Ports) == 0:
		return &dataplanes.Lack{Reason: string(gatewayv1.GatewayReasonAddressNotAssigned), Message: "There is no Service yet, as no listener can be served"}
	case r.service == nil:
		return &dataplanes.Lack{Reason: string(gatewayv1.GatewayReasonAddressNotAssigned), Message: r.name() + " is not there yet"}
	}
	return &dataplanes.Lack{Reason: string(gatewayv1.GatewayReasonAddressNotAssigned), Message: r.unassigned()}
}

func (r *reach) name() string {
	return describe("Service", r.in.Owner.Namespace, unitName(r.in.Owner))
}

func (r *reach) unassigned() string {
	switch r.service.Spec.Type {
	case corev1.ServiceTypeLoadBalancer:
		return fmt.Sprintf("The cluster gives no address to %s yet: is there a load balancer controller? "+
			"Where there is none, set service.type of the GatewayParameters to NodePort", r.name())
	case corev1.ServiceTypeNodePort:
		return fmt.Sprintf("No node that is ready has an address that leads to %s", r.name())
	}
	return fmt.Sprintf("%s has no cluster IP yet", r.name())
}

// missing are the addresses that are asked for by value and not given.
func (r *reach) missing(have []dataplanes.Address) []string {
	var given, missing []string
	for _, a := range have {
		given = append(given, a.Value)
	}
	for _, a := range r.in.Addresses {
		if a.Value != "" && !has(given, a.Value) {
			missing = append(missing, a.Value)
		}
	}
	return missing
}

func (r *reach) wantsHostname() bool {
	return slices.ContainsFunc(r.in.Addresses, func(a gatewayv1.GatewaySpecAddress) bool {
		return a.Value == "" && orDefault(a.Type, gatewayv1.IPAddressType) == gatewayv1.HostnameAddressType
	})
}

// notGiven says why an address is missing, and what would be right.
func (r *reach) notGiven(missing []string) string {
	asked := "spec.addresses asks for " + strings.Join(missing, ", ")
	switch {
	case serviceType(r.in) == corev1.ServiceTypeNodePort:
		return asked + ", which no ready node has that takes traffic for it; ask for addresses of nodes, or for none"
	case serviceType(r.in) == corev1.ServiceTypeClusterIP:
		return asked + ", and a Service of type ClusterIP gets the address that the cluster chooses; ask for none, or use service.type LoadBalancer in the GatewayParameters"
	case slices.ContainsFunc(missing, func(value string) bool { return !isIP(value) }):
		return asked + ", and no load balancer can be asked for a name; give it a name of its own in DNS, and ask for type IPAddress here"
	case orDefault(r.in.Service.AddressAnnotation, "") == "":
		return asked + fmt.Sprintf(", and nothing says how to ask the load balancer for it: set service.addressAnnotation "+
			"in the GatewayParameters of GatewayClass %s, to metallb.io/loadBalancerIPs for MetalLB", r.in.Class)
	}
	return asked + fmt.Sprintf(", which the load balancer has not given to %s: is it free, and one of those that it has? Its events may say why", r.name())
}

func isIP(value string) bool {
	_, err := netip.ParseAddr(value)
	return err == nil
}

// has reports whether a list has an address, however that is written.
func has(list []string, value string) bool {
	want, err := netip.ParseAddr(value)
	return slices.ContainsFunc(list, func(text string) bool {
		if err != nil {
			return strings.EqualFold(text, value)
		}
		ip, bad := netip.ParseAddr(text)
		return bad == nil && ip == want
	})
}
