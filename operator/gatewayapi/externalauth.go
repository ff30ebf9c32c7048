package gatewayapi

import (
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
)

// externalAuth writes the question to an authorization server (GEP-1494). Where
// that server cannot be resolved the rule fails closed.
func (b *ruleBuilder) externalAuth(f *gatewayv1.HTTPRouteFilter, field string) *ir.Filter {
	a := f.ExternalAuth
	if a == nil {
		return b.empty(field, f.Type)
	}
	field += ".externalAuth"
	made := &ir.ExternalAuth{GRPC: a.ExternalAuthProtocol == gatewayv1.HTTPRouteExternalAuthGRPCProtocol}
	switch a.ExternalAuthProtocol {
	case gatewayv1.HTTPRouteExternalAuthGRPCProtocol:
		b.grpcAuth(a, made, field)
	case gatewayv1.HTTPRouteExternalAuthHTTPProtocol:
		b.httpAuth(a, made, field)
	default:
		b.refuse(field+".protocol", "%q is unknown; use HTTP or GRPC", a.ExternalAuthProtocol)
	}
	if a.ForwardBody != nil {
		made.MaxBodyBytes = int(a.ForwardBody.MaxSize)
	}
	speak := speaking{kind: ir.HTTPRoute}
	if made.GRPC {
		speak.kind = ir.GRPCRoute
	}
	key := b.resolve(backendUse{ref: a.BackendRef, field: field + ".backendRef", speak: speak})
	if key == nil {
		b.closed = "the authorization server of " + field + " cannot be reached, so no request may pass"
		return nil
	}
	made.Backend = *key
	return &ir.Filter{ExternalAuth: made}
}

func (b *ruleBuilder) grpcAuth(a *gatewayv1.HTTPExternalAuthFilter, made *ir.ExternalAuth, field string) {
	if a.HTTPAuthConfig != nil {
		b.refuse(field+".http", "it does not go with protocol GRPC; remove it")
	}
	if a.GRPCAuthConfig != nil {
		made.RequestHeaders = b.headerNames(a.GRPCAuthConfig.AllowedRequestHeaders, field+".grpc.allowedHeaders")
	}
}

func (b *ruleBuilder) httpAuth(a *gatewayv1.HTTPExternalAuthFilter, made *ir.ExternalAuth, field string) {
	if a.GRPCAuthConfig != nil {
		b.refuse(field+".grpc", "it does not go with protocol HTTP; remove it")
	}
	h := a.HTTPAuthConfig
	if h == nil {
		return
	}
	made.RequestHeaders = b.headerNames(h.AllowedRequestHeaders, field+".http.allowedHeaders")
	made.ResponseHeaders = b.headerNames(h.AllowedResponseHeaders, field+".http.allowedResponseHeaders")
	if h.Path != "" {
		if why := badPath(h.Path); why != "" {
			b.refuse(field+".http.path", "%s", why)
		}
		made.PathPrefix = strings.TrimSuffix(h.Path, "/")
	}
}

func (b *ruleBuilder) headerNames(list []string, field string) []string {
	var names []string
	for i, name := range list {
		if !token.MatchString(name) {
			b.refuse(item(field, i), "%s is no header's name; use letters, digits and -", quote(name))
		}
		names = append(names, strings.ToLower(name))
	}
	return names
}
