package gatewayapi

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// metadataServices are the addresses at which clouds serve a machine's credentials and
// that are not link-local.
var metadataServices = []netip.Addr{
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
		if addr, err := netip.ParseAddr(text); err == nil && addressClass(addr) == "" {
			found = append(found, ir.Endpoint{Address: addr.Unmap().WithZone("").String(), Port: port})
		}
	}
	return found
}

// forbiddenAnswer names the classes of the addresses that an ExternalName
// resolved to, where all of them are refused; empty where one is not, or there
// is none yet. It asks the index first: answers change often, and while they are
// good that is a matter of endpoints alone.
func forbiddenAnswer(view *resources.View, name string) string {
	key := resources.DNSAnswerKey(name)
	if len(view.List(forbiddenAnswers, key)) == 0 {
		return ""
	}
	answer, state := resources.Get[*resources.DNSAnswer](view, key)
	if state != resources.Present {
		return ""
	}
	return forbiddenClasses(answer)
}

// selfIfForbidden indexes the answers of which no address may be used.
func selfIfForbidden(key resources.Key, obj resources.Object) []resources.Key {
	if answer, ok := obj.(*resources.DNSAnswer); ok && forbiddenClasses(answer) != "" {
		return []resources.Key{key}
	}
	return nil
}

// forbiddenClasses names no address: they are no business of whoever reads it.
func forbiddenClasses(answer *resources.DNSAnswer) string {
	var classes []string
	for _, text := range answer.Addresses {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			continue
		}
		class := addressClass(addr)
		if class == "" {
			return ""
		}
		classes = append(classes, class)
	}
	slices.Sort(classes)
	return strings.Join(slices.Compact(classes), ", ")
}

// The classes of addresses that names of tenants must not lead to.
const (
	loopback    = "loopback"
	unspecified = "unspecified"
	multicast   = "multicast"
	linkLocal   = "link-local"
	metadata    = "metadata service"
)

// addressClass names the class of an address of this machine, of this link, or
// of a metadata service, however it is written; empty for any other.
func addressClass(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	switch {
	case addr.IsLoopback():
		return loopback
	case !addr.IsValid(), addr.IsUnspecified(), thisNet.Contains(addr):
		return unspecified
	case addr.IsMulticast():
		return multicast
	case addr.IsLinkLocalUnicast():
		return linkLocal
	case slices.Contains(metadataServices, addr):
		return metadata
	}
	return embeddedClass(addr)
}

var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour = netip.MustParsePrefix("2002::/16")
	thisNet   = netip.MustParsePrefix("0.0.0.0/8")
)

// embeddedClass is the class of the IPv4 address that an IPv6 address is a way
// to; empty where it is none.
func embeddedClass(addr netip.Addr) string {
	bytes := addr.As16()
	switch {
	case nat64.Contains(addr):
		return addressClass(netip.AddrFrom4([4]byte(bytes[12:16])))
	case sixToFour.Contains(addr):
		return addressClass(netip.AddrFrom4([4]byte(bytes[2:6])))
	}
	return ""
}
