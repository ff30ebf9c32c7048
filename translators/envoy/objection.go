package envoy

import (
	"fmt"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// object reads the filters of every rule, and notes those that cannot be said to
// Envoy. What is known of a route from before is taken over.
func (c *Config) object(last *Config) {
	c.objections = make(map[*ir.Route][]error, len(c.unit.Proxy.Routes))
	for _, route := range c.unit.Proxy.Routes {
		if route.Kind != ir.HTTPRoute && route.Kind != ir.GRPCRoute {
			continue
		}
		found, known := last.objections[route]
		if !known {
			found = objectionsTo(route)
		}
		c.objections[route] = found
		for i, err := range found {
			if err != nil {
				c.Problems = append(c.Problems, ir.Problem{Origin: route.Rules[i].Origin, Message: err.Error()})
			}
		}
	}
}

// objectionsTo is nil where there is none.
func objectionsTo(route *ir.Route) []error {
	var found []error
	for i, rule := range route.Rules {
		err := objectionTo(order.Entry{Route: route, Rule: rule, RuleIndex: i})
		if err == nil {
			continue
		}
		if found == nil {
			found = make([]error, len(route.Rules))
		}
		found[i] = err
	}
	return found
}

// objectionTo reads the filters of all backends, those without a share too.
func objectionTo(e order.Entry) error {
	if e.Rule.Refused != "" || len(e.Rule.Matches) == 0 {
		return nil
	}
	if err := unreadable(e.Rule.Matches); err != nil {
		return err
	}
	read := func(filters []ir.Filter) error { return (&walk{entry: e, listener: &ir.Listener{}}).run(filters) }
	if err := read(e.Rule.Filters); err != nil {
		return err
	}
	for i := range e.Rule.Backends {
		if err := read(e.Rule.Backends[i].Filters); err != nil {
			return fmt.Errorf("backends[%d].%w", i, err)
		}
	}
	return nil
}

// objection is why an entry's rule cannot be served; nil where it can.
func (c *Config) objection(e order.Entry) error {
	if found := c.objections[e.Route]; found != nil {
		return found[e.RuleIndex]
	}
	return nil
}
