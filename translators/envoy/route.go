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
			config.VirtualHosts = append(config.VirtualHosts, virtualHost(h))
		}
		all = append(all, &Resource{Name: name, Message: config})
	}
	return all
}

func virtualHost(h *order.Host) *routev3.VirtualHost {
	v := &routev3.VirtualHost{Name: h.Hostname, Domains: []string{h.Hostname}}
	for _, e := range h.Entries {
		v.Routes = append(v.Routes, route(e))
	}
	return v
}

func route(e order.Entry) *routev3.Route {
	r := &routev3.Route{Match: match(e.Match())}
	if len(e.Rule.Backends) == 0 || e.Rule.Backends[0].Backend == nil {
		r.Action = &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 500}}
		return r
	}
	r.Action = &routev3.Route_Route{Route: &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: clusterName(*e.Rule.Backends[0].Backend)},
	}}
	return r
}

func match(m *ir.Match) *routev3.RouteMatch {
	if m.Path.Kind == ir.Exact {
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: order.Literal(m.Path)}}
	}
	if m.Path.Value == "/" {
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
	}
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: order.Literal(m.Path)}}
}
