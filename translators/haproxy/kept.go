package haproxy

import (
	"reflect"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// basis is what was made of a rule at a port, and of what, for the next translation.
type basis struct {
	shares []share
	// upstreams are those of the uses of backends that take traffic; nil where one is
	// of no backend.
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
	for _, use := range weighed(rule) {
		var u *upstream
		if use.Backend != nil {
			u = c.upstream(*use.Backend)
		}
		r.upstreams = append(r.upstreams, u)
	}
	c.made.bases[ruleKey{rule, p.Port}] = r
}

// takeOver returns what the last translation made of a rule, where nothing has changed
// that it was made of. Its sections stand again, with the servers of now.
func (c *Config) takeOver(p *order.Port, rule *ir.Rule) []share {
	last := c.kept.bases[ruleKey{rule, p.Port}]
	if last == nil || !c.sameSettings || last.protocol != p.Protocol || last.http3 != p.HTTP3 {
		return nil
	}
	at := 0
	for i := range rule.Backends {
		use := &rule.Backends[i]
		if use.Weight <= 0 {
			continue
		}
		if use.Backend != nil && c.upstream(*use.Backend) != last.upstreams[at] {
			return nil
		}
		at++
	}
	for _, s := range last.shares {
		if c.kept.sections[s.section] == nil {
			return nil
		}
	}
	for i, s := range last.shares {
		var u *upstream
		if i < len(last.upstreams) {
			u = last.upstreams[i]
		}
		c.standAgain(s.section, u, rule.Origin)
	}
	c.made.bases[ruleKey{rule, p.Port}] = last
	// What is read of expressions is kept as long as any rule has them.
	_ = c.unreadable(rule)
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
