package haproxy

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// share is the part of a rule's requests that one section serves.
type share struct {
	section string
	// pool is the section whose servers the requests get to; empty where no backend
	// sees them.
	pool string
	// weight is relative to the sum of the rule's shares; it is above 0.
	weight int
}

// shares returns what serves the requests that an entry's rule won at a port: one
// section, or one for each use of a backend that takes traffic.
//
// A rule of which anything cannot be served is refused as a whole: half of its
// filters could let through what the other half keeps out.
func (c *Config) shares(p *order.Port, e order.Entry) []share {
	key := ruleKey{e.Rule, p.Port}
	if known, ok := c.made.shares[key]; ok {
		return known
	}
	made := c.takeOver(p, e.Rule)
	if made == nil {
		made = c.share(p, e)
	}
	c.made.shares[key] = made
	return made
}

// ruleKey is what a rule's sections follow from, beside the unit's settings.
type ruleKey struct {
	rule *ir.Rule
	port uint16
}

// complain notes a problem of a rule, once, at however many ports it is.
func (c *Config) complain(p ir.Problem) {
	if c.said == nil {
		c.said = map[ir.Problem]bool{}
	}
	if !c.said[p] {
		c.said[p] = true
		c.Problems = append(c.Problems, p)
	}
}

func (c *Config) share(p *order.Port, e order.Entry) []share {
	if e.Rule.Refused != "" {
		return []share{{section: c.refused(), weight: 1}}
	}
	object := objection
	if anyDetour(e.Rule) {
		object = objectionToPassing
	}
	if err := cmp.Or(object(p, e.Rule), c.unreadable(e.Rule), c.unshowable(e.Rule)); err != nil {
		c.complain(ir.Problem{Origin: e.Rule.Origin, Message: err.Error()})
		return []share{{section: c.refused(), weight: 1}}
	}
	all := c.shared(p, e)
	c.several(p, e.Rule, all)
	if keepable(e.Rule) {
		c.remember(p, e.Rule, all)
	}
	return all
}

func (c *Config) shared(p *order.Port, e order.Entry) []share {
	if anyDetour(e.Rule) {
		return c.passing(p, e)
	}
	uses := weighed(e.Rule)
	first := c.newWalk(p)
	_ = first.run(e.Rule.Filters)
	if len(uses) == 0 || first.answered {
		return []share{{section: c.ending(first, e.Rule), weight: 1}}
	}
	all := make([]share, 0, len(uses))
	for _, use := range uses {
		all = append(all, c.section(p, e, use))
	}
	return all
}

// weighed are the uses that take traffic.
func weighed(rule *ir.Rule) []*ir.BackendUse {
	var uses []*ir.BackendUse
	for i := range rule.Backends {
		if use := &rule.Backends[i]; use.Weight > 0 {
			uses = append(uses, use)
		}
	}
	return uses
}

// objection is why a rule cannot be served; nil where it can. The filters of
// backends without a share are read too.
func objection(p *order.Port, rule *ir.Rule) error {
	if err := (&walk{port: p}).run(rule.Filters); err != nil {
		return err
	}
	for i := range rule.Backends {
		if err := (&walk{port: p}).run(rule.Backends[i].Filters); err != nil {
			return fmt.Errorf("backends[%d].%w", i, err)
		}
	}
	return objectionToRetry(rule.Retry)
}

// section returns the section that does what a rule asks of one use's share of
// requests, and makes it.
func (c *Config) section(p *order.Port, e order.Entry, use *ir.BackendUse) share {
	w := c.newWalk(p)
	_ = w.run(e.Rule.Filters)
	if use.Backend == nil {
		return share{section: c.ending(w, e.Rule), weight: use.Weight}
	}
	if e.Rule.Session != nil {
		w.keepSession(e.Rule.Session)
	}
	_ = w.run(use.Filters)
	if w.answered {
		return share{section: c.ending(w, e.Rule), weight: use.Weight}
	}
	lines := c.asked(w, e, use)
	name := c.keep(c.upstream(*use.Backend).section(lines), e.Rule.Origin, func(name string) *Section {
		return &Section{Kind: "backend", Name: name, Lines: lines, Pool: c.pool(*use.Backend)}
	})
	return share{section: name, pool: name, weight: use.Weight}
}

// asked is what is done with requests that a rule leads to one of its backends.
func (c *Config) asked(w *walk, e order.Entry, use *ir.BackendUse) []string {
	u := c.upstream(*use.Backend)
	return slices.Concat(
		u.lines,
		c.timeouts(e.Rule),
		c.retries(e.Rule),
		w.request,
		u.request,
		c.mark(),
		w.responses(),
		w.last,
		u.last,
	)
}

// ending returns the name of the section of requests that no backend sees: a
// filter answers them, or nobody does, which is 500.
func (c *Config) ending(w *walk, rule *ir.Rule) string {
	lines := w.request
	if !w.answered {
		lines = append(slices.Clone(lines), says(internalError, "no_backend")...)
	}
	lines = slices.Concat(lines, w.responses())
	return c.keep(answerName(digest(lines)), rule.Origin, func(name string) *Section {
		return &Section{Kind: "backend", Name: name, Lines: lines}
	})
}

// refused returns the name of the section of rules that cannot be served.
func (c *Config) refused() string { return c.answer(internalError) }

// keep makes a section unless it is there: its name says its content.
func (c *Config) keep(name string, origin ir.Origin, build func(name string) *Section) string {
	s := c.made.sections[name]
	if s == nil {
		s = build(name)
		c.made.sections[name] = s
	}
	c.attribute(s, origin)
	return name
}

// attribution is a section that an origin asks for.
type attribution struct {
	section *Section
	origin  ir.Origin
}

// attribute says of a section that an origin asks for it, once. Thousands may ask for
// one.
func (c *Config) attribute(s *Section, origin ir.Origin) {
	a := attribution{s, origin}
	if origin.Kind == "" || c.made.attributions[a] {
		return
	}
	c.made.attributions[a] = true
	s.Origins = append(s.Origins, origin)
}
