package envoy

import (
	"errors"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	chainv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/filter_chain/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// routesOf returns what becomes of the requests that an entry won: one route,
// or one a backend's share, chosen by runtime_fraction, the last of which takes
// all that is left. Each has a path that fits the entry's, so that it can be
// rewritten; who wins has been decided before.
//
// A rule of which anything cannot be served is refused as a whole: half of its
// filters could let through what the other half keeps out.
func (c *Config) routesOf(e order.Entry, l *ir.Listener) []*routev3.Route {
	first := c.walk(e, l)
	if e.Rule.Refused != "" || c.objection(e) != nil || first.run(e.Rule.Filters) != nil {
		return []*routev3.Route{c.refused(e, l)}
	}
	total, uses := shares(e.Rule)
	if total == 0 || first.answered {
		return []*routev3.Route{first.finish(nil)}
	}
	all := c.sessions(e, l, uses)
	taken := 0
	for i, use := range uses {
		r := c.share(e, l, use)
		if taken += use.Weight; i < len(uses)-1 {
			r.Match.RuntimeFraction = fraction(taken, total)
		}
		all = append(all, r)
	}
	return all
}

func (c *Config) walk(e order.Entry, l *ir.Listener) *walk {
	return &walk{
		entry: e, listener: l, reached: uint16(int(l.Port) + c.target.PortOffset), //nolint:gosec // Ports are checked where they are given.
		upstreams: c.upstreams, fallback: c.unit.Proxy.Settings.Timeouts.Request, trail: c.target.Trail,
	}
}

// sessions are the routes of those who have a session with one of several
// backends: it outlives what chance would say.
func (c *Config) sessions(e order.Entry, l *ir.Listener, uses []*ir.BackendUse) []*routev3.Route {
	var all []*routev3.Route
	if e.Rule.Session == nil || len(uses) < 2 {
		return nil
	}
	for _, use := range uses {
		if use.Backend != nil {
			r := c.share(e, l, use)
			ofSession(r.Match, e.Rule.Session, use.Backend.EndpointsKey)
			all = append(all, r)
		}
	}
	return all
}

// share is the route of one backend's requests. Where the reference to it could
// not be resolved, the rule's filters alone see them.
func (c *Config) share(e order.Entry, l *ir.Listener, use *ir.BackendUse) *routev3.Route {
	w := c.walk(e, l)
	err := w.run(e.Rule.Filters)
	if use.Backend != nil {
		err = errors.Join(err, w.run(use.Filters))
	}
	if err != nil {
		return c.refused(e, l)
	}
	return w.finish(use)
}

// refused is what becomes of all requests of a rule that cannot be served.
func (c *Config) refused(e order.Entry, l *ir.Listener) *routev3.Route {
	w := c.walk(e, l)
	w.refused = true
	return w.finish(nil)
}

// shares returns the uses that take traffic, and the sum of their weights.
func shares(rule *ir.Rule) (total int, uses []*ir.BackendUse) {
	for i := range rule.Backends {
		if use := &rule.Backends[i]; use.Weight > 0 {
			total += use.Weight
			uses = append(uses, use)
		}
	}
	return total, uses
}

// million is the finest that Envoy divides traffic by.
const million = 1_000_000

// fraction is taken/total in millionths, of which nothing but all is all.
func fraction(taken, total int) *corev3.RuntimeFractionalPercent {
	millionths := (int64(taken)*million + int64(total)/2) / int64(total)
	return &corev3.RuntimeFractionalPercent{DefaultValue: &typev3.FractionalPercent{
		Numerator:   uint32(min(max(millionths, 1), million-1)), //nolint:gosec // It is between 1 and a million.
		Denominator: typev3.FractionalPercent_MILLION,
	}}
}

// finish makes the route of a walk that ends at a backend, or of one that ends
// nowhere: without a backend, what the filters do not answer is 500.
func (w *walk) finish(use *ir.BackendUse) *routev3.Route {
	w.flush()
	if use != nil && use.Backend != nil && !w.answered && w.entry.Rule.Session != nil {
		w.keepSession(use.Backend.EndpointsKey)
	}
	if w.path != nil || w.host != "" {
		w.chain = append([]*corev3.TypedExtensionConfig{keepAsked()}, w.chain...)
	}
	r := &routev3.Route{Match: pathOf(w.entry.Match().Path), Name: w.named(use).label()}
	if len(w.chain) > 0 {
		r.TypedPerFilterConfig = map[string]*anypb.Any{ruleFilter: typed(&routev3.FilterConfig{
			Config: typed(&chainv3.FilterChainConfigPerRoute{FilterChain: &chainv3.FilterChain{Filters: w.chain}}),
		})}
	}
	if use == nil || use.Backend == nil || w.answered {
		r.Action = &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 500}}
		return r
	}
	r.Action = &routev3.Route_Route{Route: w.action(*use.Backend)}
	r.RequestBodyBufferLimit = w.bodyLimit()
	r.RequestHeadersToAdd = notOnceMore(w.entry.Rule)
	return r
}

// named says what a route was made from, as the access log has it, and why no
// backend answers.
func (w *walk) named(use *ir.BackendUse) Named {
	n := named(w.listener, w.entry.Rule, "")
	switch {
	case w.refused:
		n.Flag = "refused_rule"
	case w.answered && use != nil && use.Backend != nil:
		n.Backend = backendLabel(use.Backend.EndpointsKey)
	case !w.answered && (use == nil || use.Backend == nil):
		n.Flag = "no_backend"
	}
	return n
}
