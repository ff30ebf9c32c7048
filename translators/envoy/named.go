package envoy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// Named is what the access log and metrics call that which took a request or a
// stream. What there was none of is empty.
type Named struct {
	// Listener is "namespace/owner/section".
	Listener string
	// Route is "HTTPRoute/namespace/name", and Rule the rule's index as a decimal.
	Route, Rule string
	// Backend is "namespace/service:port".
	Backend string
	// Flag is why it is not a backend that answers.
	Flag string
}

// label is the name of a route, which Envoy hands back for each request. Names of
// Kubernetes have no space.
func (n Named) label() string {
	return strings.TrimRight(strings.Join([]string{n.Listener, n.Route, n.Rule, n.Flag, n.Backend}, " "), " ")
}

// ParseRoute reads the name of a route. One of a single word is a flag: the
// answer of nobody's route.
func ParseRoute(name string) Named {
	words := strings.Split(name, " ")
	if len(words) == 1 {
		return Named{Flag: name}
	}
	words = append(words, "", "", "")
	return Named{Listener: words[0], Route: words[1], Rule: words[2], Flag: words[3], Backend: words[4]}
}

// named says what a rule's requests are called, and why no backend has them.
func named(l *ir.Listener, rule *ir.Rule, flag string) Named {
	n := Named{Listener: listenerLabel(l), Flag: flag}
	if rule != nil {
		n.Route, n.Rule = routeLabel(rule.Origin.Object), strconv.Itoa(rule.Origin.Rule)
	}
	return n
}

func listenerLabel(l *ir.Listener) string {
	return fmt.Sprintf("%s/%s/%s", l.Key.Owner.Namespace, l.Key.Owner.Name, l.Key.Section)
}

func routeLabel(o ir.Object) string { return fmt.Sprintf("%s/%s/%s", o.Kind, o.Namespace, o.Name) }

func backendLabel(k ir.EndpointsKey) string {
	return fmt.Sprintf("%s/%s:%d", k.Namespace, k.Service, k.Port)
}

// ParseCluster returns what the access log calls a cluster's backend; empty where
// it is none's.
func ParseCluster(name string) string {
	words := strings.SplitN(name, "/", 4)
	if len(words) < 4 {
		return ""
	}
	return words[0] + "/" + words[1] + ":" + words[2]
}

// Names returns what is known of what came in by a door without a route: the
// listener that its host belongs to, and for a stream the rule too. Clients choose
// the host.
func (c *Config) Names(door, host string) Named {
	if d, ok := c.doors()[door]; ok {
		return d.named(host)
	}
	for _, p := range c.ports {
		for _, s := range p.Streams {
			if n, ok := namedByDoor(s, door); ok {
				return n
			}
		}
	}
	return Named{}
}

// requestDoor is what requests come in by: one listener's, or all those of a port.
type requestDoor struct {
	one *ir.Listener
	all owners
}

func (d requestDoor) named(host string) Named {
	if d.one != nil {
		return named(d.one, nil, "")
	}
	if l, found := d.all.covering(host); found {
		return named(l, nil, "")
	}
	return Named{}
}

// doors returns those of requests. They are looked for when the first request
// without a route asks, and kept.
func (c *Config) doors() map[string]requestDoor {
	c.doorsOnce.Do(func() {
		c.requestDoors = map[string]requestDoor{}
		for _, p := range c.ports {
			for _, l := range p.Listeners {
				if p.Protocol == ir.HTTP {
					c.requestDoors[routesName(l.Listener)] = requestDoor{all: ownersOf(p)}
					break
				}
				c.requestDoors[routesName(l.Listener)] = requestDoor{one: l.Listener}
			}
		}
	})
	return c.requestDoors
}

func namedByDoor(s *order.Stream, name string) (Named, bool) {
	if s.Listener.Protocol == ir.UDP {
		return namedStream(s.Listener, ruleOf(s)), name == listenerName(true, s.Listener.Port)
	}
	base := inlet{s, order.AnyHost}.name()
	if s.Listener.Protocol == ir.TCP {
		return namedStream(s.Listener, inlet{s, order.AnyHost}.rule()), name == base
	}
	hostname, ok := strings.CutPrefix(name, strings.TrimSuffix(base, order.AnyHost))
	return namedStream(s.Listener, inlet{s, hostname}.rule()), ok
}

// namedStream also says why no connection gets anywhere.
func namedStream(l *ir.Listener, rule *ir.Rule) Named {
	switch {
	case rule == nil:
		return named(l, nil, "no_route")
	case rule.Refused != "":
		return named(l, rule, "refused_rule")
	case len(usesOf(rule)) == 0:
		return named(l, rule, "no_backend")
	default:
		return named(l, rule, "")
	}
}

// Backend returns whose endpoint an address is that a session of UDP was led to
// from a door: one cluster has those of all backends there. It is empty where
// nobody has it any more.
func (c *Config) Backend(door, address string) string {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return ""
	}
	for _, p := range c.ports {
		for _, s := range p.Streams {
			if s.Listener.Protocol != ir.UDP || listenerName(true, s.Listener.Port) != door {
				continue
			}
			for _, use := range usesOf(ruleOf(s)) {
				if use.Backend != nil && slices.Contains(c.datagramTargets(use.Backend), at) {
					return backendLabel(use.Backend.EndpointsKey)
				}
			}
		}
	}
	return ""
}

// Labels returns all listeners and routes by which requests and streams are
// counted.
func (c *Config) Labels() (listeners, routes map[string]bool) {
	listeners, routes = map[string]bool{}, map[string]bool{}
	for _, l := range c.unit.Proxy.Listeners {
		listeners[listenerLabel(l)] = true
	}
	for _, r := range c.unit.Proxy.Routes {
		routes[routeLabel(r.Origin)] = true
	}
	return listeners, routes
}

// Logs reports whether the access log is to be written.
func (c *Config) Logs() bool { return c.unit.Proxy.Settings.AccessLog.Enabled }
