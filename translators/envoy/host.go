package envoy

import (
	"maps"
	"slices"

	matcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

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
	nesting := owners.nesting()
	all := make([]*Resource, 0, len(p.Listeners))
	for _, l := range p.Listeners {
		name := routesName(l.Listener)
		if c.closes(l.Listener) {
			all = append(all, shut(name))
			continue
		}
		hosts := c.virtualHosts(l, owners)
		if v := nesting.misdirected(l.Listener); v != nil {
			hosts = append(hosts, v)
		}
		config := c.routeConfiguration(name, hosts)
		config.TypedPerFilterConfig = c.announcement(p)
		all = append(all, c.kept.or(config, l))
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
	return c.kept.or(c.routeConfiguration(routesName(p.Listeners[0].Listener), hosts), p.Listeners...)
}

// routeConfiguration has the hosts of listeners, and those that nobody has, if
// there are any.
func (c *Config) routeConfiguration(name string, hosts []*routev3.VirtualHost) *routev3.RouteConfiguration {
	whole := func(h *routev3.VirtualHost) bool { return slices.Contains(h.GetDomains(), order.AnyHost) }
	if !slices.ContainsFunc(hosts, whole) {
		hosts = append(hosts, &routev3.VirtualHost{Name: "nobody", Domains: []string{order.AnyHost}, Routes: []*routev3.Route{noRoute()}})
	}
	return &routev3.RouteConfiguration{
		Name:                     name,
		VirtualHosts:             hosts,
		RequestHeadersToRemove:   []string{pathHeaderName, askedHeaderName, "x-envoy-external-address", "x-envoy-max-retries", "x-envoy-retry-grpc-on"},
		RequestHeadersToAdd:      append(c.trail(), onceMore()...),
		ResponseHeadersToRemove:  []string{"proxy", "proxy-authenticate", "te"},
		IgnorePortInHostMatching: true,
		// What a route says of a header is said over what holds for all.
		MostSpecificHeaderMutationsWins: true,
	}
}

// or returns the last route configuration where one that was made of listeners
// says the same.
func (k *parts) or(config *routev3.RouteConfiguration, from ...*order.Listener) *Resource {
	if r := k.routes[config.GetName()]; r != nil && sameRoutes(r.Message.(*routev3.RouteConfiguration), config) {
		return r
	}
	return &Resource{Name: config.GetName(), Origins: rulesOf(from), Message: config}
}

// sameRoutes compares hosts with trees by pointer: the same ones were taken over.
func sameRoutes(a, b *routev3.RouteConfiguration) bool {
	sameHost := func(a, b *routev3.VirtualHost) bool {
		return a == b || a.GetMatcher() == nil && b.GetMatcher() == nil && proto.Equal(a, b)
	}
	sameConfig := func(a, b *anypb.Any) bool { return proto.Equal(a, b) }
	return slices.EqualFunc(a.GetVirtualHosts(), b.GetVirtualHosts(), sameHost) &&
		maps.EqualFunc(a.GetTypedPerFilterConfig(), b.GetTypedPerFilterConfig(), sameConfig)
}

// rulesOf are the rules that a route configuration was made from.
func rulesOf(from []*order.Listener) []ir.Origin {
	var all []ir.Origin
	seen := map[*ir.Route]bool{}
	for _, l := range from {
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
		return []*routev3.VirtualHost{refused(l.Listener)}
	}
	return c.serving(l).virtualHosts(owners.hosts(l))
}

func refused(l *ir.Listener) *routev3.VirtualHost {
	return &routev3.VirtualHost{Name: l.Hostname, Domains: domainsOf(l.Hostname), Routes: []*routev3.Route{{
		Name:   named(l, nil, "refused_listener").label(),
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{}},
		Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 500}},
	}}}
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

// orElse ends a search that has found nothing.
var orElse = &matcherv3.Matcher{OnNoMatch: action(noRoute())}

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
