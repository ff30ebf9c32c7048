package gatewayapi

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// metadata are the addresses at which clouds serve a machine's credentials and
// that are not link-local.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),
	netip.MustParseAddr("fd20:ce::254"),
	netip.MustParseAddr("100.100.100.200"),
	netip.MustParseAddr("168.63.129.16"),
	netip.MustParseAddr("192.0.0.192"),
}

// externalEndpoints are what an ExternalName resolved to, less what a name in a
// tenant's hands must never lead to.
func externalEndpoints(view *resources.View, object *corev1.Service, port uint16) []ir.Endpoint {
	name := strings.TrimSuffix(strings.ToLower(object.Spec.ExternalName), ".")
	answer, state := resources.Get[*resources.DNSAnswer](view, resources.DNSAnswerKey(name))
	if state != resources.Present {
		return []ir.Endpoint{}
	}
	found := []ir.Endpoint{}
	for _, text := range answer.Addresses {
		if addr, err := netip.ParseAddr(text); err == nil && mayLeadTo(addr) {
			found = append(found, ir.Endpoint{Address: addr.Unmap().WithZone("").String(), Port: port})
		}
	}
	return found
}

// mayLeadTo refuses addresses of this machine, of this link, and of metadata
// services, however they are written.
func mayLeadTo(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return addr.IsValid() && !addr.IsLoopback() && !addr.IsUnspecified() && !addr.IsMulticast() &&
		!addr.IsLinkLocalUnicast() && !slices.Contains(metadata, addr) && !embeds(addr)
}

var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour = netip.MustParsePrefix("2002::/16")
	thisNet   = netip.MustParsePrefix("0.0.0.0/8")
)

// embeds reports whether an IPv6 address is a way to an IPv4 address that is
// refused.
func embeds(addr netip.Addr) bool {
	if addr.Is4() {
		return thisNet.Contains(addr)
	}
	bytes := addr.As16()
	switch {
	case nat64.Contains(addr):
		return !mayLeadTo(netip.AddrFrom4([4]byte(bytes[12:16])))
	case sixToFour.Contains(addr):
		return !mayLeadTo(netip.AddrFrom4([4]byte(bytes[2:6])))
	}
	return false
}
