package server

import (
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
)

// TestNeedsFollowTheRoutes: whatever comes, goes or moves, what is needed is that
// of the routes of now.
func TestNeedsFollowTheRoutes(t *testing.T) {
	route := func(f ir.Filter) *ir.Route {
		return &ir.Route{Kind: ir.HTTPRoute, Rules: []*ir.Rule{{Filters: []ir.Filter{f}}}}
	}
	cors, auth := route(ir.Filter{CORS: &ir.CORS{}}), route(ir.Filter{ExternalAuth: &ir.ExternalAuth{}})
	plain := &ir.Route{Kind: ir.TCPRoute}
	refused := &ir.Route{Kind: ir.TLSRoute, Rules: []*ir.Rule{{Refused: "x", Matches: []ir.Match{{Method: "GET"}}}}}
	var n needs
	for _, c := range []struct {
		routes []*ir.Route
		want   []feature.Name
	}{
		{nil, nil},
		{[]*ir.Route{cors, plain}, []feature.Name{"HTTPRoute", "HTTPRouteCORS", "TCPRoute"}},
		{[]*ir.Route{cors, auth}, []feature.Name{"HTTPRoute", "HTTPRouteCORS", "HTTPRouteExternalAuthHTTP"}},
		{[]*ir.Route{auth, cors}, []feature.Name{"HTTPRoute", "HTTPRouteCORS", "HTTPRouteExternalAuthHTTP"}},
		{[]*ir.Route{plain, auth, cors, cors}, []feature.Name{"HTTPRoute", "HTTPRouteCORS", "HTTPRouteExternalAuthHTTP", "TCPRoute"}},
		{[]*ir.Route{auth}, []feature.Name{"HTTPRoute", "HTTPRouteExternalAuthHTTP"}},
		{[]*ir.Route{refused}, []feature.Name{"TLSRoute"}},
	} {
		if got := n.of(&ir.Proxy{Routes: c.routes}); !slices.Equal(got, c.want) {
			t.Errorf("%d routes need %v, want %v", len(c.routes), got, c.want)
		}
	}
	p := &ir.Proxy{Settings: ir.Settings{HTTP3: ir.HTTP3{Enabled: true}}}
	if got := n.of(p); !slices.Equal(got, []feature.Name{feature.HTTP3}) {
		t.Errorf("HTTP/3 needs %v", got)
	}
}
