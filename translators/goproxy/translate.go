package goproxy

import (
	"cmp"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// Translate writes a unit for the Go proxy. Last is what was made of the same
// owner's unit before, or nil: hosts whose routes have not changed are taken
// over from it by pointer, and what is compiled from them stays valid.
func Translate(unit *ir.Unit, last *Config) *Config {
	proxy := unit.Proxy
	return &Config{
		Owner:        proxy.Owner,
		Ports:        ports(order.Group(proxy, last.listeners())),
		Backends:     proxy.Backends,
		Certificates: proxy.Certificates,
		Endpoints:    unit.Endpoints,
		Settings:     proxy.Settings,
	}
}

// listeners returns the listeners of all ports; none for a nil configuration.
func (c *Config) listeners() []*order.Listener {
	if c == nil {
		return nil
	}
	var all []*order.Listener
	for _, p := range c.Ports {
		all = append(all, p.Listeners...)
	}
	return all
}

// ports sorts listeners by port, and by hostname within each.
func ports(listeners []*order.Listener) []*Port {
	byPort := map[uint16]*Port{}
	var all []*Port
	for _, l := range listeners {
		p := byPort[l.Listener.Port]
		if p == nil {
			p = &Port{Port: l.Listener.Port, Protocol: l.Listener.Protocol}
			byPort[p.Port], all = p, append(all, p)
		}
		if l.Listener.Refused == "" {
			p.Protocol = l.Listener.Protocol
		}
		p.Listeners = append(p.Listeners, l)
	}
	for _, p := range all {
		slices.SortStableFunc(p.Listeners, func(a, b *order.Listener) int {
			return order.CompareHostnames(a.Listener.Hostname, b.Listener.Hostname)
		})
	}
	slices.SortFunc(all, func(a, b *Port) int { return cmp.Compare(a.Port, b.Port) })
	return all
}
