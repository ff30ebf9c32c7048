package envoy

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// routes returns the route configurations of a port, one a listener.
func (c *Config) routes(p *order.Port) []*Resource {
	all := make([]*Resource, 0, len(p.Listeners))
	for _, l := range p.Listeners {
		name := routesName(l.Listener)
		config := &routev3.RouteConfiguration{Name: name, IgnorePortInHostMatching: true}
		for _, h := range l.Hosts {
			config.VirtualHosts = append(config.VirtualHosts, c.virtualHost(h, l.Listener))
		}
		all = append(all, &Resource{Name: name, Message: config})
	}
	return all
}

func (c *Config) virtualHost(h *order.Host, l *ir.Listener) *routev3.VirtualHost {
	v := &routev3.VirtualHost{Name: h.Hostname, Domains: []string{h.Hostname}}
	for _, e := range h.Entries {
		v.Routes = append(v.Routes, c.routesOf(e, l)...)
	}
	return v
}
