package gatewayapi

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/ir"
)

// defaultHeaderTimeout is as api/v1alpha1 documents it.
const defaultHeaderTimeout = 5 * time.Second

func (e *effective) layProxyProtocol(p *v1alpha1.ProxyProtocolParameters) {
	if p == nil {
		return
	}
	e.sendProxy = p.Send
	if p.Accept == nil {
		return
	}
	made := ir.ProxyProtocol{HeaderTimeout: ir.Duration(defaultHeaderTimeout)}
	for _, text := range p.Accept.TrustedCIDRs {
		// What cannot be read is refused, and trusts nobody.
		if prefix, err := netip.ParsePrefix(text); err == nil {
			made.Trusted = append(made.Trusted, prefix.Masked().String())
		}
	}
	for _, port := range p.Accept.Ports {
		made.Ports = append(made.Ports, uint16(port))
	}
	slices.Sort(made.Ports)
	overDuration(&made.HeaderTimeout, p.Accept.HeaderTimeout)
	e.settings.ProxyProtocol = made
}

// sendVersion is the version of the header that a listener's backends get.
func (e *effective) sendVersion(l *listener) ir.ProxyProtocolVersion {
	if l.protocol != ir.TLS && l.protocol != ir.TCP {
		return ""
	}
	for _, s := range e.sendProxy {
		if len(s.Ports) == 0 || slices.Contains(s.Ports, l.spec.Port) {
			return ir.ProxyProtocolVersion(s.Version)
		}
	}
	return ""
}

func (c parametersCheck) proxyProtocol(p *v1alpha1.ProxyParameters) {
	if p.ProxyProtocol == nil {
		return
	}
	const field = "proxyProtocol."
	if a := p.ProxyProtocol.Accept; a != nil {
		c.trustedCIDRs(field+"accept.trustedCIDRs", a.TrustedCIDRs)
		c.ports(field+"accept.ports", a.Ports)
		if d := a.HeaderTimeout; d != nil && (d.Duration <= 0 || d.Duration > maxTimeout) {
			c.refuse(field+"accept.headerTimeout", "%v is out of range; it is more than 0s and at most %v", d.Duration, maxTimeout)
		}
	}
	for i, s := range p.ProxyProtocol.Send {
		at := item(field+"send", i)
		if v := ir.ProxyProtocolVersion(s.Version); v != ir.ProxyProtocolV1 && v != ir.ProxyProtocolV2 {
			c.refuse(at+".version", "%q is unknown; it is v1 or v2", s.Version)
		}
		c.ports(at+".ports", s.Ports)
	}
}

// trustedCIDRs refuses what would be believed by mistake: an address without a
// length, and bits that the length leaves out.
func (c parametersCheck) trustedCIDRs(field string, cidrs []string) {
	if len(cidrs) == 0 {
		c.refuse(field, "it is empty, so nobody could be trusted; list the prefixes of the proxies in front")
	}
	for i, text := range cidrs {
		prefix, err := netip.ParsePrefix(text)
		switch {
		case err != nil:
			c.refuse(item(field, i), "%q is no address prefix; write it as 10.0.0.0/8, 10.0.0.1/32 or 2001:db8::/32", text)
		case prefix != prefix.Masked():
			c.refuse(item(field, i), "%q has bits behind its length; did you mean %v", text, prefix.Masked())
		case prefix.Addr().Is4In6():
			c.refuse(item(field, i), "%q is IPv4 in IPv6; write it as IPv4", text)
		}
	}
}

func (c parametersCheck) ports(field string, ports []int32) {
	for i, port := range ports {
		inRange(c, fmt.Sprintf("%s[%d]", field, i), &port, 1, 65535)
	}
}
