package haproxy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// leads is where the rules of a route lead at a port: a section, or several with
// their weights, "3*a,1*b".
type leads struct {
	route *ir.Route
	rules []string
}

// leadsKey is what a route's sections follow from.
type leadsKey struct {
	route *ir.Route
	port  uint16
}

// leadsOf says where a route's rules lead.
func (c *Config) leadsOf(p *order.Port, route *ir.Route) *leads {
	key := leadsKey{route, p.Port}
	if s := c.made.leads[key]; s != nil {
		return s
	}
	s := &leads{route: route, rules: make([]string, len(route.Rules))}
	for i, rule := range route.Rules {
		if len(rule.Matches) > 0 {
			s.rules[i] = written(c.shares(p, order.Entry{Route: route, Rule: rule, RuleIndex: i}))
		}
	}
	if last := c.kept.leads[key]; last != nil && slices.Equal(last.rules, s.rules) {
		s = last
	}
	c.made.leads[key] = s
	return s
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
