package envoy

import (
	"fmt"
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
// listener that its host belongs to, and for a stream the rule too.
func (c *Config) Names(door, host string) Named {
	for _, p := range c.ports {
		for _, l := range p.Listeners {
			if routesName(l.Listener) == door {
				return doorOf(p, l.Listener, host)
			}
		}
	}
	return Named{}
}

func doorOf(p *order.Port, l *ir.Listener, host string) Named {
	if p.Protocol == ir.HTTP {
		if l = ownersOf(p).of(host); l == nil {
			return Named{Flag: "no_listener"}
		}
	}
	return named(l, nil, "")
}
