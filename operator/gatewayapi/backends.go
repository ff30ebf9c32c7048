package gatewayapi

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// maxWeight is Gateway API's bound of a weight.
const maxWeight = 1000000

// backendUse is one reference to a backend: of a rule, a mirror, or an
// authorization server.
type backendUse struct {
	ref   gatewayv1.BackendObjectReference
	field string
	speak speaking
}

// speaking is what a route would speak with a backend that says nothing.
type speaking struct{ kind ir.RouteKind }

func (b *ruleBuilder) speaks() speaking { return speaking{b.routeBuilder.source.kind} }

// upstreams writes the rule's backendRefs. One that cannot be resolved keeps
// its share of the traffic, which is answered with 500.
func (b *ruleBuilder) upstreams() {
	for i := range b.source.backends {
		field := item(b.field+".backendRefs", i)
		source := &b.source.backends[i]
		use := ir.BackendUse{Weight: int(orDefault(source.ref.Weight, 1))}
		if use.Weight < 0 || use.Weight > maxWeight {
			b.refuse(field+".weight", "%d is out of range; use 0 to %d", use.Weight, maxWeight)
		}
		use.Backend = b.resolve(backendUse{source.ref.BackendObjectReference, field, b.speaks()})
		use.Filters = b.filterList(source.filters, field+".filters")
		b.rule.Backends = append(b.rule.Backends, use)
	}
}

// resolve follows a reference to a backend, and makes the backend. It returns
// nil where a finding says why it cannot.
func (b *routeBuilder) resolve(use backendUse) *ir.BackendKey {
	svc, id, finding := b.lookup(use)
	if finding.Code != "" {
		b.found.put(finding)
		return nil
	}
	if svc == nil {
		return nil
	}
	b.made.policies = append(b.made.policies, b.judged(svc.verdicts)...)
	backend, finding := b.backend(use, svc, id)
	if finding.Code != "" {
		b.found.put(finding)
	}
	if backend == nil {
		return nil
	}
	mode := svc.mode
	if mode == "" {
		mode = b.routing.endpoints
	}
	if svc.external != "" {
		b.names[svc.external] = struct{}{}
	}
	b.backends[backend.Key] = upstream{backend, endpointsID{backend.Key.EndpointsKey, mode}}
	return &backend.Key
}

// lookup finds the Service of a reference. The grant is looked at before the
// Service, so that a denied reference reads the same whether it exists or not.
// Without a Service and without a finding, it may still appear.
func (b *routeBuilder) lookup(use backendUse) (*service, serviceID, findings.Finding) {
	group, kind := orDefault(use.ref.Group, corev1.GroupName), orDefault(use.ref.Kind, gatewayv1.Kind(resources.Service))
	var id serviceID
	if !isService(group, kind) {
		return nil, id, newFinding(findings.BackendRefKindInvalid, use.field+".kind",
			"%s of group %q cannot be a backend; refer to a Service", kind, group)
	}
	key := resources.Key{Kind: resources.Service, Namespace: string(orDefault(use.ref.Namespace, gatewayv1.Namespace(b.source.key.Namespace))), Name: string(use.ref.Name)}
	if !granted(b.view, reference{b.source.key.Kind, b.source.key.Namespace, corev1.GroupName, key}) {
		return nil, id, newFinding(findings.BackendRefDenied, use.field, "%s", deniedMessage(b.source.key, key))
	}
	if use.ref.Port == nil || *use.ref.Port < 1 || *use.ref.Port > 65535 {
		return nil, id, newFinding(findings.BackendNotFound, use.field+".port", "a Service needs a port from 1 to 65535; give the one of %v", key)
	}
	id = serviceID{key, uint16(*use.ref.Port)}
	svc := b.serviceOf(b.view, id)
	switch {
	case svc.pending:
		return nil, id, findings.Finding{}
	case svc.missing != "":
		b.made.policies = append(b.made.policies, b.judged(svc.verdicts)...)
		return nil, id, newFinding(findings.BackendNotFound, use.field+svc.missingField, "%s", svc.missing)
	case svc.external != "" && !b.routing.allowExternalName:
		return nil, id, newFinding(findings.BackendRefKindInvalid, use.field+".name",
			"%v is of type ExternalName, which its GatewayClass does not allow; use another type, or ask the platform team for allowExternalName", key)
	case svc.broken != "":
		return nil, id, newFinding(findings.BackendProtocolUnsupported, use.field, "%s", svc.broken)
	case svc.forbidden != "":
		// The name stays resolved, so that a better answer ends this.
		b.names[svc.external] = struct{}{}
		return nil, id, newFinding(findings.BackendAddressForbidden, use.field+".name",
			"%v is of type ExternalName, and its name resolves to addresses that no backend may have (%s); correct the name, or its DNS records", key, svc.forbidden)
	}
	return svc, id, findings.Finding{}
}

// backend makes the backend of a Service. With a finding it may be a backend
// that fails closed.
func (b *routeBuilder) backend(use backendUse, svc *service, id serviceID) (*ir.Backend, findings.Finding) {
	tls, finding := b.tlsOf(use, svc, id)
	if finding.Code != "" {
		return nil, finding
	}
	protocol, why := protocolOf(use.speak.kind, svc, tls != nil, b.routing.features)
	if why != "" {
		return nil, newFinding(findings.BackendProtocolUnsupported, use.field, "%v: %s", id.key, why)
	}
	made := &ir.Backend{Key: ir.BackendKey{
		EndpointsKey: ir.EndpointsKey{Namespace: id.key.Namespace, Service: id.key.Name, Port: id.port},
		Protocol:     protocol,
	}, TLS: tls}
	b.routing.balance(made)
	if tls != nil && tls.Invalid != "" {
		return made, newFinding(findings.BackendRefusedByPolicy, use.field,
			"%v cannot be reached over TLS, so its requests fail: %s", id.key, tls.Invalid)
	}
	return made, findings.Finding{}
}

// tlsOf is the TLS of a backend as this unit opens it; nil for none.
func (b *routeBuilder) tlsOf(use backendUse, svc *service, id serviceID) (*ir.BackendTLS, findings.Finding) {
	switch {
	case svc.tls == nil, use.speak.kind == ir.TCPRoute, use.speak.kind == ir.UDPRoute:
		return nil, findings.Finding{}
	case use.speak.kind == ir.TLSRoute && b.passthrough && b.terminated:
		return nil, newFinding(findings.BackendRefusedByPolicy, use.field,
			"%v has a BackendTLSPolicy, which cannot hold for a route on listeners of both TLS modes; split the route", id.key)
	case use.speak.kind == ir.TLSRoute && b.passthrough:
		return nil, findings.Finding{}
	}
	tls := *svc.tls
	tls.ClientCertificate = b.routing.clientCertificate
	_, beyond := b.beyond(len(tls.SANs) > 0)
	switch {
	case tls.Invalid != "":
	case beyond != "":
		tls.Invalid = beyond
	case b.routing.clientCertificateBroken:
		tls.Invalid = "the Gateway's spec.tls.backend.clientCertificateRef cannot be followed"
	}
	if tls.Invalid != "" {
		tls = ir.BackendTLS{Hostname: tls.Hostname, Invalid: tls.Invalid}
	}
	return &tls, findings.Finding{}
}

// beyond says which field of a policy the dataplane cannot follow, and why;
// nothing where it can.
func (b *routeBuilder) beyond(sans bool) (field, why string) {
	switch {
	case !b.routing.features.Has(feature.BackendTLSPolicy):
		return "spec", fmt.Sprintf("BackendTLSPolicies are not supported by the dataplane of %s", b.routing.controller)
	case sans && !b.routing.features.Has(feature.BackendTLSPolicySANValidation):
		return "spec.validation.subjectAltNames", fmt.Sprintf("subjectAltNames are not supported by the dataplane of %s", b.routing.controller)
	}
	return "", ""
}

// judged are the verdicts on a port's policies as this unit has them: what its
// dataplane cannot follow is not in force, and the policy must say so.
func (b *routeBuilder) judged(verdicts []verdict) []verdict {
	var judged []verdict
	for _, v := range verdicts {
		if field, why := b.beyond(v.sans); why != "" {
			v.found = with(v.found, newFinding(findings.PolicyInvalid, field, "%s; requests to the backend fail", why))
		}
		judged = append(judged, v)
	}
	return judged
}

// protocolOf decides what is spoken with a backend (KEP-3726): what its port's
// appProtocol says, as far as the route can speak that.
func protocolOf(kind ir.RouteKind, svc *service, tls bool, features feature.Set) (ir.BackendProtocol, string) {
	if why := transportMismatch(kind, svc); why != "" {
		return "", why
	}
	switch kind {
	case ir.UDPRoute:
		return ir.BackendUDP, ""
	case ir.TCPRoute:
		return ir.BackendTCP, ""
	case ir.TLSRoute:
		if tls {
			return ir.BackendTLSStream, ""
		}
		return ir.BackendTCP, ""
	}
	return httpProtocol(kind, svc, tls, features)
}

func transportMismatch(kind ir.RouteKind, svc *service) string {
	udp := svc.transport == corev1.ProtocolUDP
	switch {
	case svc.transport != "" && !udp && svc.transport != corev1.ProtocolTCP:
		return fmt.Sprintf("its port has protocol %s; use a port of protocol TCP or UDP", svc.transport)
	case udp != (kind == ir.UDPRoute):
		return fmt.Sprintf("its port has protocol %s, which a %s cannot use; use another port", svc.transport, feature.OfKind(kind))
	}
	return ""
}

func httpProtocol(kind ir.RouteKind, svc *service, tls bool, features feature.Set) (ir.BackendProtocol, string) {
	plain := ir.BackendHTTP1
	switch {
	case kind == ir.GRPCRoute && tls:
		plain = ir.BackendH2
	case kind == ir.GRPCRoute:
		plain = ir.BackendH2C
	}
	switch app := strings.ToLower(svc.appProtocol); {
	case app == "" || app == "http":
		return plain, ""
	case app == "kubernetes.io/h2c":
		return h2c(kind, tls, features)
	case (app == "kubernetes.io/ws" || app == "kubernetes.io/wss") && !features.Has(feature.HTTPRouteBackendProtocolWebSocket):
		return "", "WebSocket to backends is not supported by the dataplane"
	case app == "kubernetes.io/ws":
		return plain, ""
	case (app == "https" || app == "kubernetes.io/wss") && !tls:
		return "", fmt.Sprintf("its appProtocol %s needs TLS; create a BackendTLSPolicy that targets it, so that its certificate can be verified", svc.appProtocol)
	case app == "https" || app == "kubernetes.io/wss":
		return plain, ""
	}
	return "", fmt.Sprintf("its appProtocol %q cannot be spoken; use http, https, kubernetes.io/h2c, kubernetes.io/ws or kubernetes.io/wss", svc.appProtocol)
}

func h2c(kind ir.RouteKind, tls bool, features feature.Set) (ir.BackendProtocol, string) {
	switch {
	case tls:
		return ir.BackendH2, ""
	case kind == ir.HTTPRoute && !features.Has(feature.HTTPRouteBackendProtocolH2C):
		return "", "h2c to backends is not supported by the dataplane"
	}
	return ir.BackendH2C, ""
}
