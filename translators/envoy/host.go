package envoy

import (
	"strconv"
	"strings"

	matcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// routes returns the route configurations of a port: one for all listeners of
// HTTP, whose requests' hosts alone say which is meant; one each for those of
// HTTPS, whose connections have said so already.
func (c *Config) routes(p *order.Port) []*Resource {
	switch p.Protocol {
	case ir.HTTP:
		return []*Resource{c.routesOfAll(p)}
	case ir.HTTPS:
		var all []*Resource
		for _, l := range p.Listeners {
			if l.Listener.Refused == "" {
				all = append(all, c.routesOfOne(p, l))
			}
		}
		return all
	default:
		return nil
	}
}

// routesName names what is served at a port of HTTP ("80"), or by the listener
// of a hostname at one of HTTPS ("443/*.example").
func routesName(l *ir.Listener) string {
	port := strconv.Itoa(int(l.Port))
	if l.Protocol == ir.HTTP {
		return port
	}
	return port + "/" + l.Hostname
}

func (c *Config) routesOfAll(p *order.Port) *Resource {
	d := c.domains(p)
	for _, l := range p.Listeners {
		if l.Listener.Refused != "" {
			d.answer(l.Listener.Hostname, 500)
			continue
		}
		d.serve(l)
		// Whatever of its hostname no route has is nobody else's.
		d.answer(l.Listener.Hostname, 404)
	}
	return d.resource(routesName(p.Listeners[0].Listener))
}

// routesOfOne also says 421 to the hostnames of the port's other listeners
// (RFC 9110, section 15.5.20; GEP-3567).
func (c *Config) routesOfOne(p *order.Port, l *order.Listener) *Resource {
	d := c.domains(p)
	d.serve(l)
	for _, other := range p.All() {
		if other == l.Listener {
			d.answer(other.Hostname, 404)
			continue
		}
		d.answer(other.Hostname, 421)
	}
	return d.resource(routesName(l.Listener))
}

// domains collects the virtual hosts of one route configuration.
type domains struct {
	config *Config
	// claims are the hostnames of the port's listeners.
	claims []*ir.Listener
	taken  map[string]bool
	hosts  []*routev3.VirtualHost
}

func (c *Config) domains(p *order.Port) *domains {
	return &domains{config: c, claims: p.All(), taken: map[string]bool{}}
}

// serve adds the hostnames of a listener's routes. What another listener with a
// more specific hostname has as a whole is not there for this one.
func (d *domains) serve(l *order.Listener) {
	byName := make(map[string]*order.Host, len(l.Hosts))
	for _, h := range l.Hosts {
		byName[h.Hostname] = h
	}
	for _, h := range l.Hosts {
		if d.owner(h.Hostname) == l.Listener && !d.taken[h.Hostname] {
			d.add(h.Hostname, &routev3.VirtualHost{Matcher: chain(d.trees(l, h, byName))})
		}
	}
}

// trees are those that the requests for a hostname are looked up in: its own,
// then those of the less specific hostnames of its listener.
func (d *domains) trees(l *order.Listener, h *order.Host, byName map[string]*order.Host) []*tree {
	all := []*tree{d.config.tree(l, h)}
	for _, name := range wider(h.Hostname) {
		if other := byName[name]; other != nil {
			all = append(all, d.config.tree(l, other))
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

// owner is the listener that all hosts of a hostname belong to which belong to
// none that is more specific than the hostname.
func (d *domains) owner(hostname string) *ir.Listener {
	var best *ir.Listener
	for _, l := range d.claims {
		if covers(l.Hostname, hostname) && (best == nil || order.CompareHostnames(l.Hostname, best.Hostname) < 0) {
			best = l
		}
	}
	return best
}

// covers reports whether one hostname covers all hosts of another.
func covers(wide, narrow string) bool {
	if wide == narrow || wide == order.AnyHost {
		return true
	}
	return narrow != order.AnyHost && order.MatchHostname(wide, narrow)
}

// answer says a status to all requests for a hostname that has nothing else.
func (d *domains) answer(hostname string, status uint32) {
	if d.taken[hostname] {
		return
	}
	h := &routev3.VirtualHost{}
	if status != 404 {
		h.Routes = []*routev3.Route{{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: ""}},
			Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: status}},
		}}
	}
	d.add(hostname, h)
}

// add names a virtual host. A host of a request may have a dot at its end.
func (d *domains) add(hostname string, h *routev3.VirtualHost) {
	d.taken[hostname] = true
	h.Name, h.Domains = hostname, []string{hostname}
	if hostname != order.AnyHost {
		h.Domains = append(h.Domains, hostname+".")
	}
	d.hosts = append(d.hosts, h)
}

func (d *domains) resource(name string) *Resource {
	return &Resource{Name: name, Message: &routev3.RouteConfiguration{
		Name:                     name,
		VirtualHosts:             d.hosts,
		RequestHeadersToRemove:   []string{pathHeaderName},
		IgnorePortInHostMatching: true,
	}}
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
