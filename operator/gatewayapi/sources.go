package gatewayapi

import (
	"regexp"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// source is a route of any kind in the one shape that translation reads. What
// a kind does not have is left out.
type source struct {
	key       resources.Key
	kind      ir.RouteKind
	object    resources.Object
	common    gatewayv1.CommonRouteSpec
	hostnames []gatewayv1.Hostname
	rules     []ruleSource
}

// ruleSource is a rule of any kind of route.
type ruleSource struct {
	name     *gatewayv1.SectionName
	matches  []matchSource
	filters  []gatewayv1.HTTPRouteFilter
	backends []backendSource
	timeouts *gatewayv1.HTTPRouteTimeouts
	retry    *gatewayv1.HTTPRouteRetry
	session  *gatewayv1.SessionPersistence
}

// matchSource is a match of an HTTPRoute or of a GRPCRoute.
type matchSource struct {
	gatewayv1.HTTPRouteMatch
	// pathField is where the author wrote what became the path.
	pathField string
	// broken is set where a GRPCRoute's method cannot become a path.
	broken string
}

type backendSource struct {
	ref     gatewayv1.BackendRef
	filters []gatewayv1.HTTPRouteFilter
}

// sourceOf reads a route object; nil where it is none.
func sourceOf(key resources.Key, obj resources.Object) *source {
	s := &source{key: key, kind: routeKinds[key.Kind], object: obj, common: commonSpec(obj)}
	switch r := obj.(type) {
	case *gatewayv1.HTTPRoute:
		s.hostnames, s.rules = r.Spec.Hostnames, each(r.Spec.Rules, httpRule)
		if len(s.rules) == 0 {
			// The CRD's default: a rule that matches all, and has no backend.
			s.rules = []ruleSource{{matches: []matchSource{matchAll}}}
		}
	case *gatewayv1.GRPCRoute:
		s.hostnames, s.rules = r.Spec.Hostnames, each(r.Spec.Rules, grpcRule)
	case *gatewayv1.TLSRoute:
		s.hostnames = r.Spec.Hostnames
		s.rules = each(r.Spec.Rules, func(r *gatewayv1.TLSRouteRule) ruleSource { return plainRule(r.Name, r.BackendRefs) })
	case *gatewayv1.TCPRoute:
		s.rules = each(r.Spec.Rules, func(r *gatewayv1.TCPRouteRule) ruleSource { return plainRule(r.Name, r.BackendRefs) })
	case *gatewayv1.UDPRoute:
		s.rules = each(r.Spec.Rules, func(r *gatewayv1.UDPRouteRule) ruleSource { return plainRule(r.Name, r.BackendRefs) })
	default:
		return nil
	}
	return s
}

func each[From, To any](list []From, turn func(*From) To) []To {
	out := make([]To, 0, len(list))
	for i := range list {
		out = append(out, turn(&list[i]))
	}
	return out
}

func plainRule(name *gatewayv1.SectionName, refs []gatewayv1.BackendRef) ruleSource {
	return ruleSource{name: name, backends: each(refs, func(r *gatewayv1.BackendRef) backendSource { return backendSource{ref: *r} })}
}

var matchAll = matchSource{pathField: "path.value"}

func httpRule(r *gatewayv1.HTTPRouteRule) ruleSource {
	rule := ruleSource{name: r.Name, filters: r.Filters, timeouts: r.Timeouts, retry: r.Retry, session: r.SessionPersistence}
	rule.matches = each(r.Matches, func(m *gatewayv1.HTTPRouteMatch) matchSource {
		return matchSource{HTTPRouteMatch: *m, pathField: "path.value"}
	})
	rule.backends = each(r.BackendRefs, func(b *gatewayv1.HTTPBackendRef) backendSource {
		return backendSource{ref: b.BackendRef, filters: b.Filters}
	})
	if len(rule.matches) == 0 {
		rule.matches = []matchSource{matchAll}
	}
	return rule
}

func grpcRule(r *gatewayv1.GRPCRouteRule) ruleSource {
	rule := ruleSource{name: r.Name, filters: each(r.Filters, grpcFilter), session: r.SessionPersistence}
	rule.matches = each(r.Matches, grpcMatch)
	rule.backends = each(r.BackendRefs, func(b *gatewayv1.GRPCBackendRef) backendSource {
		return backendSource{ref: b.BackendRef, filters: each(b.Filters, grpcFilter)}
	})
	if len(rule.matches) == 0 {
		rule.matches = []matchSource{matchAll}
	}
	return rule
}

// grpcFilter writes a GRPCRoute's filter as an HTTPRoute's: its fields are a
// part of the other's.
func grpcFilter(f *gatewayv1.GRPCRouteFilter) gatewayv1.HTTPRouteFilter {
	return gatewayv1.HTTPRouteFilter{
		Type:                   gatewayv1.HTTPRouteFilterType(f.Type),
		RequestHeaderModifier:  f.RequestHeaderModifier,
		ResponseHeaderModifier: f.ResponseHeaderModifier,
		RequestMirror:          f.RequestMirror,
		ExtensionRef:           f.ExtensionRef,
	}
}

func grpcMatch(m *gatewayv1.GRPCRouteMatch) matchSource {
	match := matchSource{pathField: "method"}
	match.Path, match.broken = grpcPath(m.Method)
	match.Headers = each(m.Headers, func(h *gatewayv1.GRPCHeaderMatch) gatewayv1.HTTPHeaderMatch {
		return gatewayv1.HTTPHeaderMatch{
			Type:  (*gatewayv1.HeaderMatchType)(h.Type),
			Name:  gatewayv1.HTTPHeaderName(h.Name),
			Value: h.Value,
		}
	})
	return match
}

// The names that protobuf allows for services and methods.
var (
	grpcService = regexp.MustCompile(`^[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_][A-Za-z_0-9]*)*$`)
	grpcMethod  = regexp.MustCompile(`^[A-Za-z_][A-Za-z_0-9]*$`)
)

// grpcPath writes a match on a method as a path: "/service/method" is what a
// call is to HTTP/2.
func grpcPath(m *gatewayv1.GRPCMethodMatch) (*gatewayv1.HTTPPathMatch, string) {
	if m == nil {
		return nil, ""
	}
	service, method := orDefault(m.Service, ""), orDefault(m.Method, "")
	switch orDefault(m.Type, gatewayv1.GRPCMethodMatchExact) {
	case gatewayv1.GRPCMethodMatchExact:
		return grpcExactPath(service, method)
	case gatewayv1.GRPCMethodMatchRegularExpression:
		return grpcRegexPath(service, method)
	}
	return nil, "type " + string(*m.Type) + " is unknown; use Exact or RegularExpression"
}

// grpcExactPath takes a service with a dot before it, which the CRD allows: it
// is how protobuf writes a name that is complete, and calls never carry the dot.
func grpcExactPath(service, method string) (*gatewayv1.HTTPPathMatch, string) {
	service = strings.TrimPrefix(service, ".")
	switch {
	case service != "" && !grpcService.MatchString(service):
		return nil, "service " + service + " is no name of a gRPC service; write it as package.Service"
	case method != "" && !grpcMethod.MatchString(method):
		return nil, "method " + method + " is no name of a gRPC method"
	case service != "" && method != "":
		return pathMatch(gatewayv1.PathMatchExact, "/"+service+"/"+method), ""
	case service != "":
		return pathMatch(gatewayv1.PathMatchPathPrefix, "/"+service), ""
	case method != "":
		return pathMatch(gatewayv1.PathMatchRegularExpression, "/[^/]+/"+regexp.QuoteMeta(method)), ""
	}
	return nil, emptyMethod
}

// emptyMethod refuses a match that would otherwise take every call.
const emptyMethod = "it names neither a service nor a method; give one of them, or leave the method out to match every call"

func grpcRegexPath(service, method string) (*gatewayv1.HTTPPathMatch, string) {
	if service == "" && method == "" {
		return nil, emptyMethod
	}
	for _, part := range []string{service, method} {
		if _, err := regexp.Compile(part); err != nil {
			return nil, "it is no regular expression of RE2 syntax: " + err.Error()
		}
	}
	return pathMatch(gatewayv1.PathMatchRegularExpression, "/"+grpcPart(service)+"/"+grpcPart(method)), ""
}

func grpcPart(expression string) string {
	if expression == "" {
		return "[^/]+"
	}
	return "(?:" + expression + ")"
}

func pathMatch(kind gatewayv1.PathMatchType, value string) *gatewayv1.HTTPPathMatch {
	return &gatewayv1.HTTPPathMatch{Type: &kind, Value: &value}
}
