package envoy

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// routes returns the route configurations of a port: one for plain HTTP, and one
// each listener of HTTPS.
func (c *Config) routes(p *order.Port) []*Resource {
	if p.Protocol == ir.HTTP {
		return []*Resource{c.plainRoutes(p)}
	}
	owners := ownersOf(p)
	all := make([]*Resource, 0, len(p.Listeners))
	for _, l := range p.Listeners {
		if l.Listener.Refused != "" {
			all = append(all, shut(routesName(l.Listener)))
			continue
		}
		config := &routev3.RouteConfiguration{Name: routesName(l.Listener), IgnorePortInHostMatching: true}
		for _, h := range owners.hosts(l) {
			config.VirtualHosts = append(config.VirtualHosts, c.virtualHost(h, l.Listener))
		}
		if v := owners.misdirected(l.Listener); v != nil {
			config.VirtualHosts = append(config.VirtualHosts, v)
		}
		all = append(all, &Resource{Name: config.Name, Message: config})
	}
	return all
}

// plainRoutes are those of all listeners of a port of HTTP.
func (c *Config) plainRoutes(p *order.Port) *Resource {
	config := &routev3.RouteConfiguration{Name: routesName(p.Listeners[0].Listener), IgnorePortInHostMatching: true}
	owners := ownersOf(p)
	for _, l := range p.Listeners {
		for _, h := range owners.hosts(l) {
			v := c.virtualHost(h, l.Listener)
			if l.Listener.Refused != "" {
				v.Routes = []*routev3.Route{{
					Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{}},
					Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 500}},
				}}
			}
			config.VirtualHosts = append(config.VirtualHosts, v)
		}
	}
	return &Resource{Name: config.Name, Message: config}
}

func (c *Config) virtualHost(h *order.Host, l *ir.Listener) *routev3.VirtualHost {
	v := &routev3.VirtualHost{Name: h.Hostname, Domains: []string{h.Hostname}}
	for _, e := range h.Entries {
		v.Routes = append(v.Routes, c.routesOf(e, l)...)
	}
	return v
}
