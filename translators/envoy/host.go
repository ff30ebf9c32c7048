package envoy

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// routes returns the route configurations of a port: one for plain HTTP, whose
// requests' hosts alone say which listener is meant, and one each listener of
// HTTPS.
func (c *Config) routes(p *order.Port) []*Resource {
	if p.Protocol == ir.HTTP {
		return []*Resource{c.plainRoutes(p)}
	}
	owners := ownersOf(p)
	all := make([]*Resource, 0, len(p.Listeners))
	for _, l := range p.Listeners {
		name := routesName(l.Listener)
		if l.Listener.Refused != "" {
			all = append(all, shut(name))
			continue
		}
		hosts := c.virtualHosts(l, owners)
		if v := owners.misdirected(l.Listener); v != nil {
			hosts = append(hosts, v)
		}
		all = append(all, c.routeConfiguration(name, hosts, p.Listeners))
	}
	return all
}

// plainRoutes are those of all listeners of a port of HTTP.
func (c *Config) plainRoutes(p *order.Port) *Resource {
	owners := ownersOf(p)
	var hosts []*routev3.VirtualHost
	for _, l := range p.Listeners {
		hosts = append(hosts, c.virtualHosts(l, owners)...)
	}
	return c.routeConfiguration(routesName(p.Listeners[0].Listener), hosts, p.Listeners)
}

// routeConfiguration is the last one of its name where that has the same hosts.
func (c *Config) routeConfiguration(name string, hosts []*routev3.VirtualHost, from []*order.Listener) *Resource {
	if r := c.kept.routes[name]; r != nil && sameHosts(r.Message.(*routev3.RouteConfiguration).GetVirtualHosts(), hosts) {
		return r
	}
	return &Resource{Name: name, Origins: rulesOf(name, from), Message: &routev3.RouteConfiguration{
		Name:                     name,
		VirtualHosts:             hosts,
		RequestHeadersToRemove:   []string{pathHeaderName},
		IgnorePortInHostMatching: true,
	}}
}

// sameHosts compares hosts with trees by pointer: the same ones were taken over.
func sameHosts(a, b []*routev3.VirtualHost) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && (a[i].GetMatcher() != nil || b[i].GetMatcher() != nil || !proto.Equal(a[i], b[i])) {
			return false
		}
	}
	return true
}

// rulesOf are the rules that a route configuration was made from.
func rulesOf(name string, from []*order.Listener) []ir.Origin {
	var all []ir.Origin
	seen := map[*ir.Route]bool{}
	for _, l := range from {
		if routesName(l.Listener) != name {
			continue
		}
		for _, h := range l.Hosts {
			for _, route := range h.Routes {
				for i := 0; i < len(route.Rules) && !seen[route]; i++ {
					all = append(all, route.Rules[i].Origin)
				}
				seen[route] = true
			}
		}
	}
	return all
}

// virtualHosts are those of one listener.
func (c *Config) virtualHosts(l *order.Listener, owners owners) []*routev3.VirtualHost {
	if l.Listener.Refused != "" {
		return []*routev3.VirtualHost{answers(l.Listener.Hostname, 500)}
	}
	s := c.serving(l)
	all := make([]*routev3.VirtualHost, 0, len(l.Hosts)+1)
	for _, h := range owners.hosts(l) {
		all = append(all, s.virtualHost(h))
	}
	return all
}

// answers says one status to all requests for a hostname.
func answers(hostname string, status uint32) *routev3.VirtualHost {
	return &routev3.VirtualHost{Name: hostname, Domains: domainsOf(hostname), Routes: []*routev3.Route{{
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{}},
		Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: status}},
	}}}
}

// domainsOf are the hosts that hostnames cover, as a client may write them: with
// a dot at the end, too. Case and ports are Envoy's concern.
func domainsOf(hostnames ...string) []string {
	all := make([]string, 0, 2*len(hostnames))
	for _, h := range hostnames {
		all = append(all, h)
		if h != order.AnyHost {
			all = append(all, h+".")
		}
	}
	return all
}
