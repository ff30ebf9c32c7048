package haproxy

import (
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// frontends returns the sections that take what comes in by a port.
func (c *Config) frontends(p *order.Port) []*Section {
	switch {
	case p.Protocol == ir.UDP:
		return nil
	case len(p.Streams) > 0:
		return c.streamFrontends(p)
	default:
		return []*Section{c.requestFrontend(p, portName(p.Port), append(c.binds(p), c.entering(p)...))}
	}
}

// requestFrontend takes requests.
func (c *Config) requestFrontend(p *order.Port, name string, binds []string) *Section {
	return &Section{Kind: "frontend", Name: name, Lines: slices.Concat(
		binds, []string{c.patience(p)}, logged(LogOfRequest), c.unproxied(p), c.greeting(p),
		c.admission(p), c.lookup(p), c.departure(p),
	)}
}
