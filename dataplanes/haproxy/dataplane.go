package haproxy

import (
	"context"
	"net/netip"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// Dataplane is HAProxy, one process for each unit.
type Dataplane struct{}

var (
	_ dataplanes.Dataplane = Dataplane{}
	_ dataplanes.Foreseer  = Dataplane{}
)

// Name returns "haproxy".
func (Dataplane) Name() string { return "haproxy" }

// Features returns what this proxy serves.
func (Dataplane) Features() feature.Set { return feature.NewSet(served...) }

// Check says what this machine lacks.
func (Dataplane) Check() error {
	_, err := new(program).find()
	return err
}

// Render returns the translated unit.
func (Dataplane) Render(unit *ir.Unit) (any, error) {
	return translator.Translate(unit, translator.Target{Address: netip.IPv4Unspecified()}, nil), nil
}

// Foresee implements dataplanes.Foreseer.
func (Dataplane) Foresee(unit *ir.Unit) []ir.Problem {
	return translator.Translate(unit, translator.Target{Address: netip.IPv4Unspecified()}, nil).Problems
}

// Start returns a proxy that serves until the context ends. The one error is an
// admin address that cannot be bound: where HAProxy is missing, units say so.
func (Dataplane) Start(ctx context.Context, opts dataplanes.Options) (dataplanes.Local, error) {
	l, err := newLocal(ctx, opts)
	if err != nil {
		return nil, err
	}
	go l.run(ctx)
	return l, nil
}

// served is what the Go proxy serves: filters are compiled alike for a rule
// and for one of its backends, so what a rule can have a backend can.
var served = []feature.Name{
	feature.Gateway, feature.GatewayAddressEmpty, feature.GatewayStaticAddresses, feature.GatewayInfrastructure,
	feature.GatewayPort8080, feature.GatewayHTTPListenerIsolation, feature.GatewayHTTPSListenerDetectMisdirectedRequests,
	feature.GatewayFrontendClientCertificateValidation, feature.GatewayFrontendInsecureFallback,
	feature.GatewayBackendClientCertificate, feature.HTTP3, feature.ListenerSet, feature.ReferenceGrant, feature.BackendTLSPolicy,
	feature.BackendTLSPolicySANValidation, feature.HTTPRoute, feature.HTTPRouteMethodMatching, feature.HTTPRouteQueryParamMatching,
	feature.RegularExpressions, feature.HTTPRouteNamedRouteRule, feature.HTTPRouteParentRefPort,
	feature.HTTPRouteDestinationPortMatching,
	feature.HTTPRouteResponseHeaderModification, feature.HTTPRouteHostRewrite, feature.HTTPRoutePathRewrite,
	feature.HTTPRoutePathRedirect, feature.HTTPRoutePortRedirect, feature.HTTPRouteSchemeRedirect,
	feature.HTTPRoute303RedirectStatusCode, feature.HTTPRoute307RedirectStatusCode, feature.HTTPRoute308RedirectStatusCode,
	feature.HTTPRouteRequestMirror, feature.HTTPRouteRequestMultipleMirrors, feature.HTTPRouteRequestPercentageMirror,
	feature.HTTPRouteCORS, feature.HTTPRouteRequestTimeout, feature.HTTPRouteBackendTimeout, feature.HTTPRouteRetry,
	feature.HTTPRouteRetryBackendTimeout, feature.HTTPRouteRetryConnectionError, feature.SessionPersistence,
	feature.SessionPersistenceHeader, feature.ExternalAuthHTTP, feature.ExternalAuthGRPC, feature.ExternalAuthForwardBody,
	feature.HTTPRouteBackendProtocolH2C, feature.HTTPRouteBackendProtocolWebSocket,
	feature.HTTPRouteBackendRequestHeaderModification, feature.BackendResponseHeaders, feature.BackendRedirect,
	feature.BackendRewrite, feature.BackendMirror, feature.BackendCORS, feature.BackendExternalAuth, feature.GRPCRoute,
	feature.GRPCRouteNamedRouteRule, feature.TLSRoute, feature.TLSRouteModeTerminate, feature.TLSRouteModeMixed,
	feature.TCPRoute, feature.UDPRoute,
}
