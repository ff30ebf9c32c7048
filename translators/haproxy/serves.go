package haproxy

import (
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// serves is what serves the requests of a rule, and what that follows from beside
// the rule and its port. It is made once, and taken over by translations for which
// nothing of it has changed.
type serves struct {
	shares []share
	// objection is why the rule cannot be served; nil where it can.
	objection error
	// parts are the sections that shares name.
	parts []part

	timeouts  ir.ServerTimeouts
	upstreams []*upstream
}

// ruleKey is what a rule's sections follow from, beside what serves holds.
type ruleKey struct {
	rule *ir.Rule
	port uint16
}

// part is a section of a rule.
type part struct {
	name   string
	origin ir.Origin
	lines  []string
	// backend is nil where no backend sees the requests.
	backend *ir.BackendKey
}

// mention is a section that is part of what an origin asks for.
type mention struct {
	section *Section
	origin  ir.Origin
}

// served returns what the last translation made of a rule, or what there is to build.
func (c *Config) served(p *order.Port, e order.Entry) *serves {
	s := &serves{timeouts: c.unit.Proxy.Settings.Timeouts, upstreams: c.upstreamsOf(e.Rule)}
	last := c.kept.serves[ruleKey{e.Rule, p.Port}]
	if last != nil && last.timeouts == s.timeouts && slices.Equal(last.upstreams, s.upstreams) {
		return last
	}
	if anyDetour(e.Rule) {
		s.objection = objectionToPassing(p, e.Rule)
	} else {
		s.objection = objection(p, e.Rule)
	}
	return s
}

func (c *Config) upstreamsOf(rule *ir.Rule) []*upstream {
	all := make([]*upstream, 0, len(rule.Backends))
	for i := range rule.Backends {
		if key := rule.Backends[i].Backend; key != nil {
			all = append(all, c.upstream(*key))
		}
	}
	return all
}

// build makes the sections of a rule. What passes through the agent is more than
// sections, and is made each time.
func (c *Config) build(s *serves, p *order.Port, e order.Entry) {
	if s.parts != nil && !anyDetour(e.Rule) {
		for _, one := range s.parts {
			c.take(one)
		}
		return
	}
	c.building = s
	s.parts = []part{}
	s.shares = c.shared(p, e)
	c.building = nil
}

// take makes a section of a rule unless it is there, and returns its name.
func (c *Config) take(one part) string {
	if c.building != nil {
		c.building.parts = append(c.building.parts, one)
	}
	return c.keep(one.name, one.origin, func(name string) *Section {
		s := &Section{Kind: "backend", Name: name, Lines: one.lines}
		if one.backend != nil {
			s.Pool = c.pool(*one.backend)
		}
		return s
	})
}
