package feature

// served are the features that every dataplane has. One that is new to the table
// stands with those dataplanes that have it, until all of them do.
var served = []Name{
	Gateway, GatewayAddressEmpty, GatewayStaticAddresses, GatewayInfrastructure,
	GatewayPort8080, GatewayHTTPListenerIsolation, GatewayHTTPSListenerDetectMisdirectedRequests,
	GatewayFrontendClientCertificateValidation, GatewayFrontendInsecureFallback,
	GatewayBackendClientCertificate, HTTP3, ListenerSet, ReferenceGrant, BackendTLSPolicy,
	BackendTLSPolicySANValidation, HTTPRoute, HTTPRouteMethodMatching, HTTPRouteQueryParamMatching,
	RegularExpressions, HTTPRouteNamedRouteRule, HTTPRouteParentRefPort,
	HTTPRouteDestinationPortMatching,
	HTTPRouteResponseHeaderModification, HTTPRouteHostRewrite, HTTPRoutePathRewrite,
	HTTPRoutePathRedirect, HTTPRoutePortRedirect, HTTPRouteSchemeRedirect,
	HTTPRoute303RedirectStatusCode, HTTPRoute307RedirectStatusCode, HTTPRoute308RedirectStatusCode,
	HTTPRouteRequestMirror, HTTPRouteRequestMultipleMirrors, HTTPRouteRequestPercentageMirror,
	HTTPRouteCORS, HTTPRouteRequestTimeout, HTTPRouteBackendTimeout, HTTPRouteRetry,
	HTTPRouteRetryBackendTimeout, HTTPRouteRetryConnectionError, SessionPersistence,
	SessionPersistenceHeader, ExternalAuthHTTP, ExternalAuthGRPC, ExternalAuthForwardBody,
	HTTPRouteBackendProtocolH2C, HTTPRouteBackendProtocolWebSocket,
	HTTPRouteBackendRequestHeaderModification, BackendResponseHeaders, BackendRedirect,
	BackendRewrite, BackendMirror, BackendCORS, BackendExternalAuth, GRPCRoute,
	GRPCRouteNamedRouteRule, TLSRoute, TLSRouteModeTerminate, TLSRouteModeMixed,
	TCPRoute, UDPRoute,
}

// Served returns a set of the features that every dataplane serves. Filters mean the
// same for a rule and for one of its backends, so what a rule can have a backend can.
func Served() Set { return NewSet(served...) }
