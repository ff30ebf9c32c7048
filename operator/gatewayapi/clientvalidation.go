package gatewayapi

import (
	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// caBundle is the key of a ConfigMap that holds trust anchors.
const caBundle = "ca.crt"

// clientValidation says how a listener checks client certificates: as its port
// has it, or as the Gateway's default has it (GEP-91). It holds for HTTPS.
func (b *frameBuilder) clientValidation(l *listener) *ir.ClientValidation {
	validation, field := b.validationOf(l)
	if validation == nil {
		return nil
	}
	if !b.class.features.Has(feature.GatewayFrontendClientCertificateValidation) {
		l.found.add(findings.ListenerUnsupportedValue, l.field,
			"the Gateway's %s is not supported by the dataplane of %s", field, b.class.controller)
		return &ir.ClientValidation{Required: true}
	}
	made := &ir.ClientValidation{Required: b.validationRequired(l, validation, field)}
	for i := range validation.CACertificateRefs {
		made.CAs += b.trustAnchor(l, &validation.CACertificateRefs[i], item(field+".caCertificateRefs", i))
	}
	if made.CAs == "" && !b.view.Pending() {
		l.found.add(findings.NoValidCA, l.field,
			"no client could be valid: none of the Gateway's %s.caCertificateRefs is usable; correct them", field)
	}
	return made
}

func (b *frameBuilder) validationOf(l *listener) (*gatewayv1.FrontendTLSValidation, string) {
	if b.gateway.Spec.TLS == nil || b.gateway.Spec.TLS.Frontend == nil || l.protocol != ir.HTTPS {
		return nil, ""
	}
	frontend := b.gateway.Spec.TLS.Frontend
	for i := range frontend.PerPort {
		if frontend.PerPort[i].Port == l.spec.Port {
			return frontend.PerPort[i].TLS.Validation, item("spec.tls.frontend.perPort", i) + ".tls.validation"
		}
	}
	return frontend.Default.Validation, "spec.tls.frontend.default.validation"
}

// validationRequired reads the mode. AllowInsecureFallback shows on the Gateway,
// as whoever reads its status should know.
func (b *frameBuilder) validationRequired(l *listener, v *gatewayv1.FrontendTLSValidation, field string) bool {
	switch v.Mode {
	case "", gatewayv1.AllowValidOnly:
	case gatewayv1.AllowInsecureFallback:
		if !b.class.features.Has(feature.GatewayFrontendInsecureFallback) {
			l.found.add(findings.ListenerUnsupportedValue, l.field,
				"the Gateway's %s.mode AllowInsecureFallback is not supported by the dataplane of %s", field, b.class.controller)
			return true
		}
		b.found.add(findings.InsecureFrontendValidation, field+".mode",
			"clients without a valid certificate are let through; use AllowValidOnly to refuse them")
		return false
	default:
		l.found.add(findings.ListenerUnsupportedValue, l.field,
			"the Gateway's %s.mode %q is unknown; use AllowValidOnly or AllowInsecureFallback", field, v.Mode)
	}
	return true
}

// trustAnchor resolves one reference to a bundle; empty where it is not usable.
func (b *frameBuilder) trustAnchor(l *listener, ref *gatewayv1.ObjectReference, field string) string {
	if ref.Group != corev1.GroupName || resources.Kind(ref.Kind) != resources.ConfigMap {
		l.found.add(findings.CARefKindInvalid, l.field, "the Gateway's %s: %s of group %q holds no CA for Sluice; refer to a ConfigMap",
			field, ref.Kind, ref.Group)
		return ""
	}
	key := resources.Key{Kind: resources.ConfigMap, Namespace: string(orDefault(ref.Namespace, gatewayv1.Namespace(b.key.Namespace))), Name: string(ref.Name)}
	if !granted(b.view, reference{resources.Gateway, b.key.Namespace, corev1.GroupName, key}) {
		l.found.add(findings.CARefDenied, l.field, "the Gateway's %s: %s", field, deniedMessage(b.key, key))
		return ""
	}
	bundle, why := configMapBundle(b.view, key)
	if why != "" {
		l.found.add(findings.CARefInvalid, l.field, "the Gateway's %s: %s", field, why)
	}
	return bundle
}

// configMapBundle reads the trust anchors of a ConfigMap, or says why there are
// none. Both are empty while the ConfigMap may still appear.
func configMapBundle(view *resources.View, key resources.Key) (bundle, why string) {
	object, state := resources.Get[*corev1.ConfigMap](view, key)
	switch state {
	case resources.Pending:
		return "", ""
	case resources.Absent:
		return "", key.String() + " does not exist; create it, or correct the name"
	}
	text, ok := object.Data[caBundle]
	if !ok {
		text = string(object.BinaryData[caBundle])
	}
	if text == "" {
		return "", key.String() + " has no key " + caBundle + "; put the CA's certificates there, as PEM"
	}
	bundle, err := readBundle(text)
	if err != nil {
		return "", key.String() + " " + err.Error() + "; put the CA's certificates into " + caBundle + ", as PEM"
	}
	return bundle, ""
}

// backendTLS resolves the certificate that backends are shown (GEP-3155).
func (b *frameBuilder) backendTLS() {
	tls := b.gateway.Spec.TLS
	if tls == nil || tls.Backend == nil || tls.Backend.ClientCertificateRef == nil {
		return
	}
	const field = "spec.tls.backend.clientCertificateRef"
	b.clientBroken = true
	if !b.class.features.Has(feature.GatewayBackendClientCertificate) {
		b.found.add(findings.GatewayUnsupportedValue, field, "client certificates for backends are not supported by the dataplane of %s", b.class.controller)
		return
	}
	codes := certificateCodes{invalid: findings.ClientCertificateInvalid, denied: findings.ClientCertificateDenied}
	cert := b.certificate(certificateUse{b.key, tls.Backend.ClientCertificateRef, field, codes}, &b.found)
	if cert != nil {
		b.clientBroken = false
		b.clientCertificate = cert.made
	}
}
