package haproxy

import (
	"cmp"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// Translate writes a unit for HAProxy. Last is what was made of the same owner's unit
// before, or nil: sections and files whose parts have not changed are taken over from
// it by pointer.
func Translate(unit *ir.Unit, to Target, last *Config) *Config {
	if last == nil || last.target != to {
		last = &Config{}
	}
	if c := last.withEndpoints(unit); c != nil {
		return c
	}
	c := &Config{target: to, unit: unit, ports: order.Ports(unit.Proxy, last.ports), kept: last.made}
	c.sameSettings = c.alikeSettings(last)
	c.made = c.newParts(&last.made)
	c.made.leaves = c.readLeaves()
	c.weigh()
	c.objectToDoors()
	c.Sections = append(c.Sections, c.global(), c.defaults(), ring())
	for _, p := range c.ports {
		c.Blocks = append(c.Blocks, c.rows(p)...)
		c.Sections = append(c.Sections, c.frontends(p)...)
		c.Blocks = slices.Concat(c.Blocks, c.doorRows(p), c.streamRows(p))
	}
	c.Blocks = append(c.Blocks, c.refusal())
	c.Blocks = append(c.Blocks, c.texts()...)
	c.Sections = append(c.Sections, c.comeBack()...)
	backends := c.backends()
	c.Sections = append(append(c.Sections, rolling()), backends...)
	c.Blocks = append(c.Blocks, c.ejections(backends)...)
	c.Detours = c.detours()
	c.Files = c.files()
	slices.SortFunc(c.Files, func(a, b *File) int { return cmp.Compare(a.Name, b.Name) })
	c.kept, c.spare, c.made.attributions = parts{}, nil, nil
	return c
}

// parts are what one translation hands to the next.
type parts struct {
	// sections are those of backends by name. A name says the content.
	sections map[string]*Section
	// attributions are what the origins of sections hold already.
	attributions map[attribution]bool
	// shares are what serves the requests of a rule.
	shares map[ruleKey][]share
	// bases are what shares were made of, where they can be taken over.
	bases map[ruleKey]*basis
	// several are the ports with rules whose sessions choose among sections.
	several map[uint16]bool
	// detours are by the names of their sections.
	detours   map[string]*Detour
	backends  map[ir.BackendKey]*ir.Backend
	endpoints map[ir.EndpointsKey]*ir.Endpoints
	upstreams map[ir.BackendKey]*upstream
	pooled    map[ir.BackendKey]pooled
	doors
	tree
}

// newParts has room for what the last translation had.
func (c *Config) newParts(last *parts) parts {
	return parts{
		tree:         newTree(&last.tree),
		bases:        make(map[ruleKey]*basis, len(last.bases)),
		doors:        newDoors(),
		sections:     make(map[string]*Section, len(last.sections)),
		shares:       make(map[ruleKey][]share, len(last.shares)),
		attributions: make(map[attribution]bool, len(last.sections)),
		several:      map[uint16]bool{},
		detours:      map[string]*Detour{},
		backends:     c.backendsByKey(),
		endpoints:    c.endpointsByKey(),
		upstreams:    make(map[ir.BackendKey]*upstream, len(last.upstreams)),
		pooled:       make(map[ir.BackendKey]pooled, len(last.pooled)),
	}
}

func (c *Config) backendsByKey() map[ir.BackendKey]*ir.Backend {
	by := make(map[ir.BackendKey]*ir.Backend, len(c.unit.Proxy.Backends))
	for _, b := range c.unit.Proxy.Backends {
		by[b.Key] = b
	}
	return by
}

func (c *Config) endpointsByKey() map[ir.EndpointsKey]*ir.Endpoints {
	by := make(map[ir.EndpointsKey]*ir.Endpoints, len(c.unit.Endpoints))
	for _, e := range c.unit.Endpoints {
		by[e.Key] = e
	}
	return by
}

// backends returns the sections that rows lead to.
func (c *Config) backends() []*Section {
	var all []*Section
	for name, s := range c.made.sections {
		if last := c.kept.sections[name]; last != nil && last.Pool == s.Pool && slices.Equal(last.Origins, s.Origins) {
			s = last
			c.made.sections[name] = s
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *Section) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
