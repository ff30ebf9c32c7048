package envoy

import (
	"fmt"
	"time"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	mutatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sluice-gateway/sluice/ir/order"
)

// altSvc names the filter that tells clients of TLS over TCP about HTTP/3. It is
// off unless the routes of a port turn it on, so that turning HTTP/3 on drains no
// connection.
const altSvc = "sluice.alt-svc"

// announcing is the first filter, so that it has the last word.
func announcing() *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{
		Name: altSvc, Disabled: true,
		ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: typed(&mutatev3.HeaderMutation{Mutations: &mutatev3.Mutations{}})},
	}
}

// announcement is what the routes of a port say about HTTP/3, in the place of what
// a backend has to say of its own: clients cannot reach that.
func (c *Config) announcement(p *order.Port) map[string]*anypb.Any {
	if !c.servesHTTP3(p) {
		return nil
	}
	age := time.Duration(c.unit.Proxy.Settings.HTTP3.AltSvcMaxAge) / time.Second
	value := fmt.Sprintf(`h3=":%d"; ma=%d`, int(p.Port)+c.target.PortOffset, age)
	return map[string]*anypb.Any{altSvc: typed(&routev3.FilterConfig{Config: typed(&mutatev3.HeaderMutationPerRoute{
		Mutations: &mutatev3.Mutations{ResponseMutations: []*mutationv3.HeaderMutation{{
			Action: &mutationv3.HeaderMutation_Append{Append: &corev3.HeaderValueOption{
				Header:       &corev3.HeaderValue{Key: "alt-svc", Value: value},
				AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
			}},
		}}},
	})})}
}

// unannounced keeps answers that speak for their connection alone from saying
// more (RFC 7838, section 6, of 421).
func unannounced() map[string]*anypb.Any {
	return map[string]*anypb.Any{altSvc: typed(&routev3.FilterConfig{Disabled: true})}
}

// found takes Alt-Svc away from clients that have come over HTTP/3.
func found() *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{
		Name: "sluice.alt-svc-found",
		ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: typed(&mutatev3.HeaderMutation{Mutations: &mutatev3.Mutations{
			ResponseMutations: []*mutationv3.HeaderMutation{{Action: &mutationv3.HeaderMutation_Remove{Remove: "alt-svc"}}},
		}})},
	}
}
