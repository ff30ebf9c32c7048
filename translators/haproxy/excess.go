package haproxy

import (
	"fmt"

	"github.com/sluice-gateway/sluice/ir"
)

// Bounds of the expressions of a route and of a unit, in bytes of their automata, equal
// ones once. They stand in HAProxy's memory, and what is read of them in that of each of
// its threads: without bounds one object could end the proxy that all share.
const (
	mostOfRoute = 500_000
	mostOfUnit  = 8_000_000
	// perExpression is what each takes beside its text.
	perExpression = 100
)

// asks is an expression of a rule, and where it stands.
type asks struct {
	match                int
	field, name, pattern string
}

func (a asks) place() string {
	if a.name == "" {
		return fmt.Sprintf("matches[%d].%s", a.match, a.field)
	}
	return fmt.Sprintf("matches[%d].%s[%s]", a.match, a.field, a.name)
}

// eachExpression visits the expressions of a rule in order, up to the first error.
func eachExpression(rule *ir.Rule, visit func(asks) error) error {
	for i := range rule.Matches {
		m := &rule.Matches[i]
		if m.Path.Kind == ir.Regex {
			if err := visit(asks{i, "path", "", m.Path.Value}); err != nil {
				return err
			}
		}
		if err := eachOf(m.Headers, asks{match: i, field: "headers"}, visit); err != nil {
			return err
		}
		if err := eachOf(m.Query, asks{match: i, field: "queryParams"}, visit); err != nil {
			return err
		}
	}
	return nil
}

func eachOf(values []ir.ValueMatch, at asks, visit func(asks) error) error {
	for i := range values {
		if values[i].Kind != ir.Regex {
			continue
		}
		at.name, at.pattern = values[i].Name, values[i].Value
		if err := visit(at); err != nil {
			return err
		}
	}
	return nil
}

// scale weighs expressions: what all take, and each is counted once.
type scale struct {
	of      string
	most    int
	total   int
	counted map[string]bool
}

// take adds an expression, and says why not where that is too much.
func (s *scale) take(pattern string, size int) error {
	if s.counted[pattern] {
		return nil
	}
	if s.total+size > s.most {
		return fmt.Errorf("%q is too much for HAProxy: with it the regular expressions of the %s take %d bytes, and %d are the most", pattern, s.of, s.total+size, s.most)
	}
	if s.counted == nil {
		s.counted = map[string]bool{}
	}
	s.counted[pattern] = true
	s.total += size
	return nil
}

// weigh reads all expressions, and finds the rules whose expressions are too much. Older
// routes come first: what a route grows to takes nothing from those before it.
func (c *Config) weigh() {
	unit := scale{of: "Gateway's routes", most: mostOfUnit}
	for _, route := range c.unit.Proxy.Routes {
		own := scale{of: "route", most: mostOfRoute}
		for _, rule := range route.Rules {
			err := eachExpression(rule, func(a asks) error { return c.weighOne(a, &own, &unit) })
			if err != nil {
				c.made.excess[rule] = err
			}
		}
	}
}

// weighOne reads an expression. What cannot be read weighs nothing.
func (c *Config) weighOne(a asks, own, unit *scale) error {
	if e := c.read(a.pattern); e.err == nil {
		return c.count(a, e.size, own, unit)
	}
	return nil
}

// count adds an expression to what its route and the unit have. Of one that is too much
// its size is kept alone.
func (c *Config) count(a asks, size int, own, unit *scale) error {
	for _, s := range []*scale{own, unit} {
		if err := s.take(a.pattern, size+perExpression); err != nil {
			if !unit.counted[a.pattern] {
				c.made.expressions[a.pattern] = &expression{size: size}
			}
			return fmt.Errorf("%s: %w", a.place(), err)
		}
	}
	if c.made.expressions[a.pattern].text == "" {
		c.made.expressions[a.pattern] = newExpression(a.pattern)
	}
	return nil
}

// unreadable is why the expressions of a rule are not served: the first of them that
// cannot be read or is too large, or is too much with others; nil where all are.
func (c *Config) unreadable(rule *ir.Rule) error {
	if err := c.made.excess[rule]; err != nil {
		return err
	}
	return eachExpression(rule, func(a asks) error {
		if err := c.read(a.pattern).err; err != nil {
			return fmt.Errorf("%s: %w", a.place(), err)
		}
		return nil
	})
}
