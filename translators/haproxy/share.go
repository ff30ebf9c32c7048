package haproxy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// leads is where the rules of a route lead at a port: a section, or several with
// their weights, "3*a,1*b". It is immutable.
type leads struct {
	route  *ir.Route
	shares [][]share
	rules  []string
}

// leadsKey is what a route's sections follow from.
type leadsKey struct {
	route *ir.Route
	port  uint16
}

// leadsOf says where a route's rules lead. What has not changed is the last
// translation's.
func (c *Config) leadsOf(p *order.Port, route *ir.Route) *leads {
	key := leadsKey{route, p.Port}
	l := c.made.leads[key]
	if l == nil {
		if l = c.kept.leads[key]; l == nil || !c.leadsStill(p, l) {
			l = c.newLeads(p, route)
		}
		c.made.leads[key] = l
	}
	return l
}

// leadsStill reports whether the shares of all rules are still the same, and whether
// their expressions are asked.
func (c *Config) leadsStill(p *order.Port, l *leads) bool {
	for i, rule := range l.route.Rules {
		if (c.made.excess[rule] == nil) != (c.kept.excess[rule] == nil) {
			return false
		}
		if len(rule.Matches) > 0 && !slices.Equal(l.shares[i], c.shares(p, order.Entry{Route: l.route, Rule: rule, RuleIndex: i})) {
			return false
		}
	}
	return true
}

func (c *Config) newLeads(p *order.Port, route *ir.Route) *leads {
	l := &leads{route: route, shares: make([][]share, len(route.Rules)), rules: make([]string, len(route.Rules))}
	for i, rule := range route.Rules {
		if len(rule.Matches) > 0 {
			l.shares[i] = c.shares(p, order.Entry{Route: route, Rule: rule, RuleIndex: i})
			l.rules[i] = written(l.shares[i])
		}
	}
	return l
}

// written are shares as rows have them, those of one section together.
func written(shares []share) string {
	weights := map[string]int{}
	var names []string
	for _, s := range shares {
		if weights[s.section] == 0 {
			names = append(names, s.section)
		}
		weights[s.section] += s.weight
	}
	if len(names) == 1 {
		return names[0]
	}
	for i, name := range names {
		names[i] = strconv.Itoa(weights[name]) + "*" + name
	}
	return strings.Join(names, ",")
}
