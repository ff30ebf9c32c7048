package haproxy

import (
	"net/netip"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// frontends returns the sections that take what comes in by a port.
func (c *Config) frontends(p *order.Port) []*Section {
	if p.Protocol != ir.HTTP {
		return nil
	}
	return []*Section{{Kind: "frontend", Name: portName(p.Port), Lines: slices.Concat(
		c.binds(p), c.admission(p), c.lookup(p), c.departure(p),
	)}}
}

// address is where a port listens.
func (c *Config) address(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(c.target.Address, uint16(int(port)+c.target.PortOffset)) //nolint:gosec // Ports are checked where they are given.
}

// binds are the sockets of a port.
func (c *Config) binds(p *order.Port) []string {
	return []string{"bind " + c.address(p.Port).String()}
}
