package feature

import "github.com/sluice-gateway/sluice/ir"

// OfRule returns what a rule asks of a proxy, in the order in which the rule
// asks for it; a feature may come twice.
func OfRule(kind ir.RouteKind, rule *ir.Rule) []Name {
	wanted := ofMatches(kind, rule.Matches)
	wanted = append(wanted, ofFilters(rule.Filters, onRule)...)
	for i := range rule.Backends {
		wanted = append(wanted, ofFilters(rule.Backends[i].Filters, onBackend)...)
	}
	if rule.Timeouts.Request != 0 {
		wanted = append(wanted, HTTPRouteRequestTimeout)
	}
	if rule.Timeouts.BackendRequest != 0 {
		wanted = append(wanted, HTTPRouteBackendTimeout)
	}
	return append(wanted, ofUpstream(rule)...)
}

func ofUpstream(rule *ir.Rule) []Name {
	var wanted []Name
	if rule.Retry != nil {
		wanted = append(wanted, HTTPRouteRetry)
	}
	if s := rule.Session; s != nil {
		wanted = append(wanted, SessionPersistence)
		if s.Header {
			wanted = append(wanted, SessionPersistenceHeader)
		}
	}
	return wanted
}

func ofMatches(kind ir.RouteKind, matches []ir.Match) []Name {
	var wanted []Name
	for i := range matches {
		m := &matches[i]
		// A method of a GRPCRoute is a path, and any proxy of gRPC can match it.
		if m.Path.Kind == ir.Regex && kind == ir.HTTPRoute || anyRegex(m.Headers) || anyRegex(m.Query) {
			wanted = append(wanted, RegularExpressions)
		}
		if m.Method != "" {
			wanted = append(wanted, HTTPRouteMethodMatching)
		}
		if len(m.Query) > 0 {
			wanted = append(wanted, HTTPRouteQueryParamMatching)
		}
	}
	return wanted
}

func anyRegex(values []ir.ValueMatch) bool {
	for i := range values {
		if values[i].Kind == ir.Regex {
			return true
		}
	}
	return false
}

// place says where a filter stands: some proxies can do on a rule what they
// cannot do for one of its backends.
type place int

const (
	onRule place = iota
	onBackend
)

func ofFilters(filters []ir.Filter, at place) []Name {
	var wanted []Name
	mirrors := 0
	for i := range filters {
		if filters[i].Mirror != nil {
			mirrors++
		}
		wanted = append(wanted, ofFilter(&filters[i], at)...)
	}
	if mirrors > 1 {
		wanted = append(wanted, HTTPRouteRequestMultipleMirrors)
	}
	return wanted
}

// ofFilter returns what one filter asks for. Changes to request headers and
// plain redirects on a rule are core, which every proxy can do.
func ofFilter(f *ir.Filter, at place) []Name {
	switch {
	case f.RequestHeaders != nil:
		return perPlace(at, nil, HTTPRouteBackendRequestHeaderModification)
	case f.ResponseHeaders != nil:
		return perPlace(at, []Name{HTTPRouteResponseHeaderModification}, BackendResponseHeaders)
	case f.Redirect != nil:
		return perPlace(at, ofRedirect(f.Redirect), BackendRedirect)
	case f.Rewrite != nil:
		return perPlace(at, ofRewrite(f.Rewrite), BackendRewrite)
	case f.Mirror != nil:
		return perPlace(at, ofMirror(f.Mirror), BackendMirror)
	case f.CORS != nil:
		return perPlace(at, []Name{HTTPRouteCORS}, BackendCORS)
	case f.ExternalAuth != nil:
		return perPlace(at, ofExternalAuth(f.ExternalAuth), BackendExternalAuth)
	}
	return nil
}

func perPlace(at place, wanted []Name, onBackendToo Name) []Name {
	if at == onBackend {
		return append(wanted, onBackendToo)
	}
	return wanted
}

func ofRedirect(r *ir.Redirect) []Name {
	var wanted []Name
	if r.Scheme != "" {
		wanted = append(wanted, HTTPRouteSchemeRedirect)
	}
	if r.Port != 0 {
		wanted = append(wanted, HTTPRoutePortRedirect)
	}
	if r.Path != nil {
		wanted = append(wanted, HTTPRoutePathRedirect)
	}
	switch r.Status {
	case 303:
		wanted = append(wanted, HTTPRoute303RedirectStatusCode)
	case 307:
		wanted = append(wanted, HTTPRoute307RedirectStatusCode)
	case 308:
		wanted = append(wanted, HTTPRoute308RedirectStatusCode)
	}
	return wanted
}

func ofRewrite(r *ir.Rewrite) []Name {
	var wanted []Name
	if r.Hostname != "" {
		wanted = append(wanted, HTTPRouteHostRewrite)
	}
	if r.Path != nil {
		wanted = append(wanted, HTTPRoutePathRewrite)
	}
	return wanted
}

func ofMirror(m *ir.Mirror) []Name {
	if m.Numerator != m.Denominator {
		return []Name{HTTPRouteRequestMirror, HTTPRouteRequestPercentageMirror}
	}
	return []Name{HTTPRouteRequestMirror}
}

func ofExternalAuth(a *ir.ExternalAuth) []Name {
	wanted := []Name{ExternalAuthHTTP}
	if a.GRPC {
		wanted = []Name{ExternalAuthGRPC}
	}
	if a.MaxBodyBytes > 0 {
		wanted = append(wanted, ExternalAuthForwardBody)
	}
	return wanted
}

// OfKind returns what a kind of route asks of a proxy.
func OfKind(kind ir.RouteKind) Name {
	return Name(kind) + "Route"
}

// OfProtocol returns the kinds of routes that a listener's protocol carries,
// and so what a listener asks of a proxy: at least one of them.
func OfProtocol(p ir.Protocol) []ir.RouteKind {
	switch p {
	case ir.HTTP, ir.HTTPS:
		return []ir.RouteKind{ir.HTTPRoute, ir.GRPCRoute}
	case ir.TLS:
		return []ir.RouteKind{ir.TLSRoute}
	case ir.TCP:
		return []ir.RouteKind{ir.TCPRoute}
	case ir.UDP:
		return []ir.RouteKind{ir.UDPRoute}
	}
	return nil
}
