package gatewayapi

import (
	"net/netip"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
)

// addresses checks what spec.addresses asks for. Who gives the Gateway its
// addresses, a cluster or a machine, honours them.
func (b *frameBuilder) addresses() {
	for i := range b.gateway.Spec.Addresses {
		b.address(&b.gateway.Spec.Addresses[i], item("spec.addresses", i))
	}
}

func (b *frameBuilder) address(a *gatewayv1.GatewaySpecAddress, field string) {
	kind := orDefault(a.Type, gatewayv1.IPAddressType)
	switch {
	case kind != gatewayv1.IPAddressType && kind != gatewayv1.HostnameAddressType:
		b.found.add(findings.AddressTypeUnsupported, field+".type", "%q is not supported; use IPAddress or Hostname", kind)
	case a.Value == "" && !b.class.features.Has(feature.GatewayAddressEmpty):
		b.found.add(findings.AddressNotAssigned, field+".value", "the dataplane of %s assigns no address of type %s; give a value", b.class.controller, kind)
	case a.Value != "" && kind == gatewayv1.IPAddressType && !validAddress(a.Value):
		b.found.add(findings.AddressNotUsable, field+".value", "%q is no IP address; correct it, or leave it empty to have one assigned", a.Value)
	case a.Value != "" && kind == gatewayv1.HostnameAddressType && !validHostname(a.Value):
		b.found.add(findings.AddressNotUsable, field+".value", "%q is no hostname; correct it, or leave it empty to have one assigned", a.Value)
	}
}

func validAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}
