package feature

// Feature is one line of the table of capabilities.
type Feature struct {
	Name Name
	// Official features are in a GatewayClass's supportedFeatures; the others
	// are Sluice's own words for what Gateway API tests nothing of.
	Official bool
	// Experimental features need the experimental channel's CRDs.
	Experimental bool
	// What the feature lets a person do.
	What string
}

// Table lists every feature, in the order of the docs' page of capabilities.
func Table() []Feature { return table }

var table = []Feature{
	{Gateway, true, false, "Gateways with HTTP and HTTPS listeners"},
	{GatewayAddressEmpty, true, false, "spec.addresses with a type and no value"},
	{GatewayStaticAddresses, true, false, "spec.addresses with values"},
	{GatewayInfrastructure, true, false, "labels and annotations for what a Gateway makes"},
	{GatewayPort8080, true, false, "listeners on port 8080"},
	{GatewayHTTPListenerIsolation, true, false, "a request is served by the routes of one listener alone"},
	{GatewayHTTPSListenerDetectMisdirectedRequests, true, false, "421 for a request on another host's connection"},
	{GatewayFrontendClientCertificateValidation, true, false, "client certificates are validated"},
	{GatewayFrontendInsecureFallback, true, false, "client certificates are asked for, and none is needed"},
	{GatewayBackendClientCertificate, true, false, "backends are shown a client certificate"},
	{HTTP3, false, false, "HTTP/3 at the ports of HTTPS"},
	{ListenerSet, true, false, "listeners of ListenerSets"},
	{ReferenceGrant, true, false, "references into other namespaces"},
	{BackendTLSPolicy, true, false, "TLS to backends"},
	{BackendTLSPolicySANValidation, true, false, "subject alternative names of backends"},
	{HTTPRoute, true, false, "HTTPRoutes"},
	{HTTPRouteMethodMatching, true, false, "matches on methods"},
	{HTTPRouteQueryParamMatching, true, false, "matches on query parameters"},
	{RegularExpressions, false, false, "matches by RE2 regular expressions"},
	{HTTPRouteNamedRouteRule, true, false, "names of HTTPRoute rules"},
	{HTTPRouteParentRefPort, true, false, "parentRefs with a port"},
	{HTTPRouteDestinationPortMatching, true, false, "a parentRef's port must be a listener's"},
	{HTTPRouteResponseHeaderModification, true, false, "changes to response headers"},
	{HTTPRouteHostRewrite, true, false, "rewrites of the host"},
	{HTTPRoutePathRewrite, true, false, "rewrites of the path"},
	{HTTPRoutePathRedirect, true, false, "redirects to another path"},
	{HTTPRoutePortRedirect, true, false, "redirects to another port"},
	{HTTPRouteSchemeRedirect, true, false, "redirects to another scheme"},
	{HTTPRoute303RedirectStatusCode, true, false, "redirects with 303"},
	{HTTPRoute307RedirectStatusCode, true, false, "redirects with 307"},
	{HTTPRoute308RedirectStatusCode, true, false, "redirects with 308"},
	{HTTPRouteRequestMirror, true, false, "mirrors"},
	{HTTPRouteRequestMultipleMirrors, true, false, "several mirrors on a rule"},
	{HTTPRouteRequestPercentageMirror, true, false, "mirrors of a share of the requests"},
	{HTTPRouteCORS, true, false, "CORS"},
	{HTTPRouteRequestTimeout, true, false, "time-outs of requests"},
	{HTTPRouteBackendTimeout, true, false, "time-outs of tries"},
	{HTTPRouteRetry, true, true, "retries on response codes"},
	{HTTPRouteRetryBackendTimeout, true, true, "retries after a try's time-out"},
	{HTTPRouteRetryConnectionError, true, true, "retries after connection errors"},
	{SessionPersistence, false, true, "session persistence by a cookie"},
	{SessionPersistenceHeader, false, true, "session persistence by a header"},
	{ExternalAuthHTTP, false, true, "external authorization over HTTP"},
	{ExternalAuthGRPC, false, true, "external authorization over gRPC"},
	{ExternalAuthForwardBody, false, true, "external authorization that sees the body"},
	{HTTPRouteBackendProtocolH2C, true, false, "h2c to backends"},
	{HTTPRouteBackendProtocolWebSocket, true, false, "WebSocket to backends"},
	{HTTPRouteBackendRequestHeaderModification, true, false, "changes to request headers for one backend"},
	{BackendResponseHeaders, false, false, "changes to response headers from one backend"},
	{BackendRedirect, false, false, "redirects on one backend's share"},
	{BackendRewrite, false, false, "rewrites for one backend"},
	{BackendMirror, false, false, "mirrors of one backend's share"},
	{BackendCORS, false, false, "CORS on one backend's share"},
	{BackendExternalAuth, false, true, "external authorization of one backend's share"},
	{GRPCRoute, true, false, "GRPCRoutes"},
	{GRPCRouteNamedRouteRule, true, false, "names of GRPCRoute rules"},
	{TLSRoute, true, false, "TLSRoutes, passed through"},
	{TLSRouteModeTerminate, true, false, "TLSRoutes, terminated"},
	{TLSRouteModeMixed, true, false, "both modes of TLSRoutes on one port"},
	{TCPRoute, true, false, "TCPRoutes"},
	{UDPRoute, true, false, "UDPRoutes"},
}

// All returns a set of every feature.
func All() Set {
	s := make(Set, len(table))
	for _, f := range table {
		s[f.Name] = struct{}{}
	}
	return s
}

// Supported returns those of a set's features that a GatewayClass lists as
// supported, in order.
func Supported(s Set) []Name {
	official := make(Set, len(table))
	for _, f := range table {
		if f.Official && s.Has(f.Name) {
			official[f.Name] = struct{}{}
		}
	}
	return official.Sorted()
}
