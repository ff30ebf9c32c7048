package envoy

import (
	chainv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/filter_chain/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
)

// ruleFilter is where the filters of a rule run: each route brings a chain of
// its own, in its author's order.
const ruleFilter = "sluice.rule"

// httpFilters are what every request of every listener goes through, in order.
// The list is the same for every unit, whatever its routes need: one that was
// longer for some would drain connections when a route is edited.
func (c *Config) httpFilters() []*hcmv3.HttpFilter {
	all := append([]*hcmv3.HttpFilter{c.doorFilter(), hopFilter(), trailerFilter()}, heldFilters(&c.unit.Proxy.Settings.Limits)...)
	return append(all,
		optional(ruleFilter, &chainv3.FilterChainConfig{}),
		always("envoy.filters.http.router", &routerv3.Router{SuppressEnvoyHeaders: true}),
	)
}

// always is a filter that every request goes through.
func always(name string, config proto.Message) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: typed(config)}}
}

// optional is a filter that only those routes have that enable it.
func optional(name string, config proto.Message) *hcmv3.HttpFilter {
	f := always(name, config)
	f.Disabled = true
	return f
}
