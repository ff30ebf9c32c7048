package haproxy

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
)

// served is what becomes of the requests of a route's rules.
type served struct {
	route *ir.Route
	// rules are where each rule leads: a section, or several with their weights,
	// "3*a,1*b".
	rules []string
	// problems are those of its rules.
	problems []ir.Problem
}

// serve says where a route's rules lead.
func (c *Config) serve(route *ir.Route) *served {
	if s := c.made.served[route]; s != nil {
		return s
	}
	s := &served{route: route, rules: make([]string, len(route.Rules))}
	for i, rule := range route.Rules {
		s.rules[i] = c.serveRule(s, rule)
	}
	if last := c.kept.served[route]; last != nil && reflect.DeepEqual(last, s) {
		s = last
	}
	c.made.served[route] = s
	c.Problems = append(c.Problems, s.problems...)
	return s
}

func (c *Config) serveRule(s *served, rule *ir.Rule) string {
	if rule.Refused != "" {
		return c.answer(500)
	}
	if err := c.objection(rule); err != nil {
		s.problems = append(s.problems, ir.Problem{Origin: rule.Origin, Message: err.Error()})
		return c.answer(500)
	}
	uses := taking(rule)
	if len(uses) == 0 {
		return c.shareOf(s.route, rule, nil)
	}
	if len(uses) == 1 {
		return c.shareOf(s.route, rule, uses[0])
	}
	return c.weighed(s.route, rule, uses)
}

// taking are the uses of backends that take traffic.
func taking(rule *ir.Rule) []*ir.BackendUse {
	var all []*ir.BackendUse
	for i := range rule.Backends {
		if use := &rule.Backends[i]; use.Weight > 0 {
			all = append(all, use)
		}
	}
	return all
}

// weighed writes shares, those of one section together.
func (c *Config) weighed(route *ir.Route, rule *ir.Rule, uses []*ir.BackendUse) string {
	weights := map[string]int{}
	var names []string
	for _, use := range uses {
		name := c.shareOf(route, rule, use)
		if weights[name] == 0 {
			names = append(names, name)
		}
		weights[name] += use.Weight
	}
	if len(names) == 1 {
		return names[0]
	}
	for i, name := range names {
		names[i] = strconv.Itoa(weights[name]) + "*" + name
	}
	return strings.Join(names, ",")
}

// shareOf is the section that serves one backend's share of a rule's requests, or
// those of a rule without any.
func (c *Config) shareOf(route *ir.Route, rule *ir.Rule, use *ir.BackendUse) string {
	if use == nil || use.Backend == nil {
		return c.answer(500)
	}
	return c.section(route, rule, use)
}
