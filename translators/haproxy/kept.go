package haproxy

import (
	"reflect"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// basis is what was made of a rule at a port, and of what, for the next translation.
type basis struct {
	shares []share
	// upstreams are those of all of the rule's backends, be their weight 0; nil for a
	// use of no backend.
	upstreams []*upstream
	protocol  ir.Protocol
	http3     bool
}

// keepable reports whether a rule leaves nothing behind but its sections: one that
// passes through the agent, or whose session chooses among sections, is made anew.
func keepable(rule *ir.Rule) bool {
	return rule.Refused == "" && rule.Session == nil && !anyDetour(rule)
}

// remember keeps what was made of a rule.
func (c *Config) remember(p *order.Port, rule *ir.Rule, shares []share) {
	r := &basis{shares: shares, protocol: p.Protocol, http3: p.HTTP3}
	for i := range rule.Backends {
		r.upstreams = append(r.upstreams, c.upstreamOf(&rule.Backends[i]))
	}
	c.made.bases[ruleKey{rule, p.Port}] = r
}

// upstreamOf is that of a use; nil where there is none.
func (c *Config) upstreamOf(use *ir.BackendUse) *upstream {
	if use.Backend == nil {
		return nil
	}
	return c.upstream(*use.Backend)
}

// takeOver returns what the last translation made of a rule, where nothing has changed
// that it was made of. Its sections stand again, with the servers of now.
func (c *Config) takeOver(p *order.Port, rule *ir.Rule) []share {
	last := c.kept.bases[ruleKey{rule, p.Port}]
	if last == nil || c.made.excess[rule] != nil || !c.sameSettings || last.protocol != p.Protocol || last.http3 != p.HTTP3 {
		return nil
	}
	for i := range rule.Backends {
		if c.upstreamOf(&rule.Backends[i]) != last.upstreams[i] {
			return nil
		}
	}
	for _, s := range last.shares {
		if c.kept.sections[s.section] == nil {
			return nil
		}
	}
	at := 0
	for i := range rule.Backends {
		if rule.Backends[i].Weight > 0 && at < len(last.shares) {
			c.standAgain(last.shares[at].section, last.upstreams[i], rule.Origin)
			at++
		}
	}
	// Without any backend, one section answers.
	for _, s := range last.shares[at:] {
		c.standAgain(s.section, nil, rule.Origin)
	}
	c.made.bases[ruleKey{rule, p.Port}] = last
	return last.shares
}

// standAgain makes a section of the last translation's lines.
func (c *Config) standAgain(name string, u *upstream, origin ir.Origin) {
	last := c.kept.sections[name]
	s := c.made.sections[name]
	if s == nil {
		s = c.blank()
		*s = Section{Kind: last.Kind, Name: name, Lines: last.Lines}
		if last.Pool != nil && u != nil {
			s.Pool = c.pool(u.backend.Key)
		}
		c.made.sections[name] = s
	}
	c.attribute(s, origin)
}

// blank returns a section, of which many are made at once.
func (c *Config) blank() *Section {
	if len(c.spare) == 0 {
		c.spare = make([]Section, 64)
	}
	s := &c.spare[0]
	c.spare = c.spare[1:]
	return s
}

// alikeSettings reports whether the settings are those of the last translation, of
// which every section may have read some.
func (c *Config) alikeSettings(last *Config) bool {
	return last.unit != nil && reflect.DeepEqual(last.unit.Proxy.Settings, c.unit.Proxy.Settings)
}
