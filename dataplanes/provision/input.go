package provision

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/ir"
)

// Input is what is asked of the objects of one unit.
type Input struct {
	// Owner is the Gateway. Its objects are in its namespace.
	Owner ir.Object
	// UID is the owner's: a Gateway that was deleted and made anew has another.
	UID types.UID
	// Class is the name of the GatewayClass, Controller its controllerName.
	Class, Controller string
	// Labels and Annotations are for every object. Where they meet keys that this
	// package sets itself, they lose.
	Labels, Annotations map[string]string
	// Addresses are those that are asked for; one without a value asks for any.
	Addresses []gatewayv1.GatewaySpecAddress
	// Ports are the ports of listeners. Without any there is no Service yet, but
	// one that is there stays.
	Ports   []Port
	Service v1alpha1.ServiceParameters
	Pods    v1alpha1.PodParameters
	// Drain bounds how long a proxy serves open connections after it was told to
	// stop; 0 is no bound.
	Drain time.Duration
}

// Port is a port at which clients are served.
type Port struct {
	Number   uint16
	Protocol corev1.Protocol
}

// Site is what the objects of all units share.
type Site struct {
	// Image is that of sluice-proxy.
	Image string
	// Agents are the proxies that are programs of their own, by the controllerName
	// of their classes. Every other class has the proxy that is built in, in Image
	// or in the image that parameters name.
	Agents map[string]Agent
	// Delivery is where proxies find the operator: "host:port".
	Delivery string
	// CA is the PEM bundle that proxies verify the operator with.
	CA []byte
}

// Ports are those that a unit needs, ordered by number and protocol, each once:
// those that are to stay anyhow, one for each port and transport of its listeners,
// and the UDP side of HTTPS where HTTP/3 is on.
func Ports(proxy *ir.Proxy, stay ...Port) []Port {
	list := slices.Clone(stay)
	for _, l := range proxy.Listeners {
		transport := corev1.ProtocolTCP
		if l.Protocol == ir.UDP {
			transport = corev1.ProtocolUDP
		}
		list = append(list, Port{l.Port, transport})
		if l.Protocol == ir.HTTPS && proxy.Settings.HTTP3.Enabled {
			list = append(list, Port{l.Port, corev1.ProtocolUDP})
		}
	}
	slices.SortFunc(list, func(a, b Port) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Protocol, b.Protocol))
	})
	return slices.Compact(list)
}
