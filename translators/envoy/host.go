package envoy

import (
	"slices"
	"strings"

	matcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

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
		config := routeConfiguration(name, append(hosts, nobodys(hosts)...))
		config.TypedPerFilterConfig = c.announcement(p)
		all = append(all, &Resource{Name: name, Message: config})
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
	config := routeConfiguration(routesName(p.Listeners[0].Listener), append(hosts, nobodys(hosts)...))
	return &Resource{Name: config.Name, Message: config}
}

func routeConfiguration(name string, hosts []*routev3.VirtualHost) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{
		Name:                     name,
		VirtualHosts:             hosts,
		RequestHeadersToRemove:   []string{pathHeaderName, "x-envoy-external-address"},
		ResponseHeadersToRemove:  []string{"proxy", "proxy-authenticate", "te", "trailer"},
		IgnorePortInHostMatching: true,
	}
}

// virtualHosts are those of one listener.
func (c *Config) virtualHosts(l *order.Listener, owners owners) []*routev3.VirtualHost {
	byName := make(map[string]*order.Host, len(l.Hosts))
	for _, h := range l.Hosts {
		byName[h.Hostname] = h
	}
	var all []*routev3.VirtualHost
	for _, h := range owners.hosts(l) {
		v := &routev3.VirtualHost{Name: h.Hostname, Domains: domainsOf(h.Hostname)}
		if l.Listener.Refused != "" {
			v.Routes = refused(l.Listener)
		} else {
			v.Matcher = orElse(chain(c.trees(l, h, byName)), noRoute())
		}
		all = append(all, v)
	}
	return all
}

func refused(l *ir.Listener) []*routev3.Route {
	return []*routev3.Route{{
		Name:   named(l, nil, "refused_listener").label(),
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{}},
		Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 500}},
	}}
}

// noRoute answers what nobody has. It is a route, and not the lack of one, so that
// what holds for all routes of a port holds for it.
func noRoute() *routev3.Route {
	return &routev3.Route{
		Name:   "no_route",
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{}},
		Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 404, Body: inline("Not Found\n")}},
	}
}

// nobodys has the hosts that no listener of a port has, if there are any.
func nobodys(hosts []*routev3.VirtualHost) []*routev3.VirtualHost {
	for _, h := range hosts {
		if slices.Contains(h.Domains, order.AnyHost) {
			return nil
		}
	}
	return []*routev3.VirtualHost{{Name: "nobody", Domains: []string{order.AnyHost}, Routes: []*routev3.Route{noRoute()}}}
}

// orElse ends a search that has found nothing with a route.
func orElse(m *matcherv3.Matcher, route *routev3.Route) *matcherv3.Matcher {
	if m == nil {
		return &matcherv3.Matcher{OnNoMatch: action(route)}
	}
	last := m
	for last.OnNoMatch != nil {
		last = last.OnNoMatch.GetMatcher()
	}
	last.OnNoMatch = action(route)
	return m
}

// domainsOf are the hosts that hostnames cover, as a client may write them: with
// a dot at the end, too. Case and ports are not Envoy's concern.
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

// trees are those that the requests for a hostname are looked up in: its own,
// then those of the less specific hostnames of its listener.
func (c *Config) trees(l *order.Listener, h *order.Host, byName map[string]*order.Host) []*tree {
	all := []*tree{c.tree(l, h)}
	for _, name := range wider(h.Hostname) {
		if other := byName[name]; other != nil {
			all = append(all, c.tree(l, other))
		}
	}
	return all
}

// wider returns the other hostnames that cover all hosts of one, the most
// specific first: for "a.b.c" they are "*.b.c", "*.c" and "*".
func wider(hostname string) []string {
	if hostname == order.AnyHost {
		return nil
	}
	var all []string
	labels := strings.TrimPrefix(hostname, "*")
	for at := strings.IndexByte(labels[1:], '.') + 1; at > 0; {
		all = append(all, "*"+labels[at:])
		next := strings.IndexByte(labels[at+1:], '.')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return append(all, order.AnyHost)
}

func (c *Config) tree(l *order.Listener, h *order.Host) *tree {
	return newTree(h, func(e order.Entry) *matcherv3.Matcher_OnMatch { return c.entry(e, l.Listener) }, nil)
}

// entry is what becomes of the requests that an entry wins.
func (c *Config) entry(e order.Entry, l *ir.Listener) *matcherv3.Matcher_OnMatch {
	routes := c.routesOf(e, l)
	if len(routes) == 1 {
		return action(routes[0])
	}
	return action(&routev3.RouteList{Routes: routes})
}
