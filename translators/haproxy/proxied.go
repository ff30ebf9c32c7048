package haproxy

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/ir/order"
)

// proxied demands a PROXY header of those who are trusted; all others' bytes are
// their own.
func (c *Config) proxied(p *order.Port) []string {
	from := c.fromTrusted(p.Port)
	if from == "" {
		return nil
	}
	return []string{"tcp-request connection expect-proxy layer4 if " + from + " { so_name " + overTCP + " }"}
}

// unproxied refuses trusted proxies over QUIC: they have no way to say whom they
// speak for.
func (c *Config) unproxied(p *order.Port) []string {
	from := c.fromTrusted(p.Port)
	if from == "" || !c.servesHTTP3(p) {
		return nil
	}
	return []string{"tcp-request connection reject if " + from + " { so_name " + overQUIC + " }"}
}

// fromTrusted matches the connections of who is trusted; empty where nobody is.
func (c *Config) fromTrusted(port uint16) string {
	sources := c.trusted(port)
	if len(sources) == 0 {
		return ""
	}
	return "{ src " + strings.Join(sources, " ") + " }"
}

// trusted returns whose PROXY headers a port takes; none for nobody's. A prefix that
// cannot be read trusts nobody.
func (c *Config) trusted(port uint16) []string {
	s := &c.unit.Proxy.Settings.ProxyProtocol
	if len(s.Ports) > 0 && !slices.Contains(s.Ports, port) {
		return nil
	}
	var all []string
	for _, text := range s.Trusted {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			all = append(all, prefix.Masked().String())
		}
	}
	return all
}
