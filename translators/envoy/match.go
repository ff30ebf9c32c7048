package envoy

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// pathOf is the path of a route that was chosen already: it says what a rewrite
// replaces, and fits every request that the entry can win.
func pathOf(want ir.PathMatch) *routev3.RouteMatch {
	value := order.Literal(want)
	switch {
	case want.Kind == ir.Exact:
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: value}}
	case want.Kind == ir.Prefix && value != "/":
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: value}}
	default:
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: ""}}
	}
}
