package envoy

import (
	"fmt"

	matcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	matchingv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/matching/v3"
	skipv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/matcher/action/v3"
	headerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// A request that surely has nothing to refuse and nothing to mend, as askedHeader
// has it: no CONNECT, no TRACE and no method with small letters; an authority that
// is a host with an optional port; and a path in its normal form, without an
// escape that may be written in another way.
const (
	plainMethod = `(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)`
	plainHost   = `[A-Za-z0-9_~-][-A-Za-z0-9_~]*(?:\.[-A-Za-z0-9_~]+)*\.?(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?`
	plainFirst  = `[-A-Za-z0-9_~!$&'()*+,:=@]|` + plainEscape
	plainNext   = `[-A-Za-z0-9_~!$&'()*+,:;=@.]|` + plainEscape
	plainEscape = `%(?:2[0-9ABC]|3[A-F]|40|5[BDE]|60|7[BCD]|[89A-F][0-9A-F])`
	plainPath   = `(?:/(?:` + plainFirst + `)(?:` + plainNext + `)*)*/?`
	plainAsked  = plainMethod + " " + plainHost + plainPath
)

// askedHeaderName is the header that holds a request's method, authority and path
// for one look at all of them. It is removed as pathHeaderName is.
const (
	askedHeaderName  = "x-sluice-asked"
	askedHeaderValue = "%REQ(:METHOD)% %REQ(:AUTHORITY)%%PATH(NQ:PATH)%"
)

// doorFilter refuses and mends what is not plain.
func (c *Config) doorFilter() *hcmv3.HttpFilter {
	s := &c.unit.Proxy.Settings
	values := map[string]*structpb.Value{"keepSlashes": structpb.NewBoolValue(s.Path.KeepEncodedSlashes)}
	wanted := []*predicate{fits(header(askedHeaderName), plainAsked)}
	if hops := s.ClientIP.TrustedHops; hops > 0 {
		// The nearest proxy's own address is there already.
		values["hops"] = structpb.NewNumberValue(float64(hops) + 1)
		wanted = append(wanted, fits(header("x-forwarded-for"), fmt.Sprintf(`[^,]*(?:,[^,]*){0,%d}`, hops)))
	}
	if trail := c.target.Trail; trail != "" {
		values["trail"] = structpb.NewStringValue(trail)
		wanted = append(wanted, none(fits(header(trailHeader), `.*`)))
	}
	return unless("sluice.door", all(wanted), script("door", doorScript, values))
}

// hopFilter takes off responses what ends with the hop that they came by.
func hopFilter() *hcmv3.HttpFilter {
	named := extension("response", &typev3.HttpResponseHeaderMatchInput{HeaderName: "connection"})
	plain := oneOf(none(fits(named, `.*`)), fits(named, `(?i)close|keep-alive|upgrade`))
	return unless("sluice.hop", plain, script("hop", hopScript, nil))
}

// trailerFilter keeps those fields out of trailers that must not come from
// clients.
func trailerFilter() *hcmv3.HttpFilter {
	return always("sluice.trailers", &headerv3.HeaderMutation{Mutations: &headerv3.Mutations{
		RequestTrailersMutations: []*mutationv3.HeaderMutation{removes(notInTrailers())},
	}})
}

// unless runs a script for what does not fit a predicate. All else pays for the
// predicate alone.
func unless(name string, plain *predicate, run *luav3.Lua) *hcmv3.HttpFilter {
	return always(name, &matchingv3.ExtensionWithMatcher{
		XdsMatcher: ladder([]*rung{{Predicate: plain, OnMatch: &matcherv3.Matcher_OnMatch{OnMatch: &matcherv3.Matcher_OnMatch_Action{
			Action: extension("skip", &skipv3.SkipFilter{}),
		}}}}),
		ExtensionConfig: &corev3.TypedExtensionConfig{Name: "lua", TypedConfig: typed(run)},
	})
}
