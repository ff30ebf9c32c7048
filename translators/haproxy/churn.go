package haproxy

import (
	"maps"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
)

// withEndpoints is a configuration with other endpoints, of a unit that is the same
// otherwise; nil where it is not. Endpoints change far more often than all else, and
// only servers follow from them.
func (c *Config) withEndpoints(unit *ir.Unit) *Config {
	if c.unit == nil || c.unit.Proxy != unit.Proxy {
		return nil
	}
	changed, same := changedEndpoints(c.unit.Endpoints, unit.Endpoints)
	if !same {
		return nil
	}
	next := *c
	next.unit = unit
	next.made.endpoints, next.made.pooled, next.made.sections = maps.Clone(c.made.endpoints), maps.Clone(c.made.pooled), maps.Clone(c.made.sections)
	for key, e := range changed {
		next.made.endpoints[key] = e
	}
	next.Sections = slices.Clone(c.Sections)
	if next.replacePools(changed) {
		next.Detours = next.detours()
	}
	return &next
}

// changedEndpoints returns what is other in one list than in another. It is false
// where they are not those of the same keys.
func changedEndpoints(from, to []*ir.Endpoints) (map[ir.EndpointsKey]*ir.Endpoints, bool) {
	if len(from) != len(to) {
		return nil, false
	}
	changed := map[ir.EndpointsKey]*ir.Endpoints{}
	for i, e := range to {
		switch was := from[i]; {
		case was == e:
		case was.Key != e.Key:
			return nil, false
		case !same(was, e):
			changed[e.Key] = e
		}
	}
	return changed, true
}

// replacePools makes the sections again whose endpoints have changed. It says whether
// the agent has to know.
func (c *Config) replacePools(changed map[ir.EndpointsKey]*ir.Endpoints) (agents bool) {
	made := map[*Pool]*Pool{}
	for i, s := range c.Sections {
		if s.Pool == nil || changed[s.Pool.Endpoints] == nil {
			continue
		}
		pool := made[s.Pool]
		if pool == nil {
			with := *s.Pool
			pool = &with
			pool.Servers = c.servers(changed[pool.Endpoints], pool.weight)
			made[s.Pool] = pool
		}
		with := *s
		with.Pool = pool
		c.Sections[i] = &with
		c.made.sections[s.Name] = &with
	}
	for key, e := range changed {
		for _, protocol := range protocols {
			of := ir.BackendKey{EndpointsKey: key, Protocol: protocol}
			if was, is := c.made.pooled[of]; is {
				c.made.pooled[of] = c.pooledAgain(was, e, made)
				agents = agents || was.pool.Through != ""
			}
		}
	}
	return agents
}

// protocols are all that backends speak.
var protocols = []ir.BackendProtocol{ir.BackendHTTP1, ir.BackendH2, ir.BackendH2C, ir.BackendTCP, ir.BackendTLSStream, ir.BackendUDP}

// pooledAgain is what was made of a backend, with other endpoints.
func (c *Config) pooledAgain(was pooled, e *ir.Endpoints, made map[*Pool]*Pool) pooled {
	pool := made[was.pool]
	if pool == nil {
		with := *was.pool
		pool = &with
		pool.Servers = c.servers(e, pool.weight)
	}
	return pooled{was.upstream, e, pool}
}
