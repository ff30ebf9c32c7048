package gatewayapi

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
)

// Infrastructure is what a Gateway, its class and their parameters ask of the
// objects that run its proxy in a cluster.
type Infrastructure struct {
	// UID is the Gateway's: it owns what is made for it.
	UID types.UID
	// Class is the name of its GatewayClass.
	Class string
	// Labels and Annotations are spec.infrastructure's, for every object that is
	// made.
	Labels, Annotations map[string]string
	// Addresses are those that spec.addresses asks for.
	Addresses []gatewayv1.GatewaySpecAddress
	// Ports are those of listeners, whether or not they can be served now: while one
	// has a port, the load balancer's and the nodes' way to it stays. Ordered, each
	// once.
	Ports []Port
	// Service and Pods are the Gateway's parameters over its class's. What is not
	// set has the default of api/v1alpha1.
	Service v1alpha1.ServiceParameters
	Pods    v1alpha1.PodParameters
	// Drain bounds how long a proxy serves open connections after it was told to
	// stop; 0 is no bound.
	Drain time.Duration
}

// Port is a port and its transport.
type Port struct {
	Number uint16
	UDP    bool
}

// ports are those of the Gateway's own listeners, and of others' that it takes.
func (b *frameBuilder) ports() []Port {
	var list []Port
	for _, l := range b.listeners {
		_, reserved := b.opts.ReservedPorts[uint16(l.spec.Port)]
		known := feature.OfProtocol(l.protocol) != nil && l.spec.Port > 0 && l.spec.Port <= 65535
		if reserved || !known || l.owner != b.key && !l.accepted() {
			continue
		}
		list = append(list, Port{uint16(l.spec.Port), l.protocol == ir.UDP})
	}
	slices.SortFunc(list, func(x, y Port) int {
		return cmp.Or(cmp.Compare(x.Number, y.Number), cmp.Compare(fmt.Sprint(x.UDP), fmt.Sprint(y.UDP)))
	})
	return slices.Compact(list)
}

// infrastructure is that of a frame's Gateway.
func (b *frameBuilder) infrastructure() *Infrastructure {
	i := &Infrastructure{
		UID: b.gateway.UID, Class: b.class.name, Addresses: b.gateway.Spec.Addresses, Ports: b.ports(),
		Service: b.effective.service, Pods: b.effective.pods, Drain: time.Duration(b.settings.Timeouts.Drain),
	}
	if asked := b.gateway.Spec.Infrastructure; asked != nil {
		i.Labels, i.Annotations = map[string]string{}, map[string]string{}
		for k, v := range asked.Labels {
			i.Labels[string(k)] = string(v)
		}
		for k, v := range asked.Annotations {
			i.Annotations[string(k)] = string(v)
		}
	}
	return i
}

// settleInfrastructure keeps the pointer of the last translation while it stays
// equal. Quantities are compared by what they mean: their text is made when they
// are first read.
func (u *unit) settleInfrastructure(next *Infrastructure) *Infrastructure {
	if u.infrastructure == nil || !equality.Semantic.DeepEqual(u.infrastructure, next) {
		u.infrastructure = next
	}
	return u.infrastructure
}
