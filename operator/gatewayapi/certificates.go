package gatewayapi

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// listenerCertificates resolves a listener's certificateRefs, in order, each
// certificate once.
func (b *frameBuilder) listenerCertificates(l *listener) []ir.CertificateKey {
	field := l.field + ".tls.certificateRefs"
	if l.spec.TLS == nil || len(l.spec.TLS.CertificateRefs) == 0 {
		l.found.add(findings.CertificateInvalid, field, "protocol %s needs a certificate; refer to a Secret of type %s",
			l.protocol, corev1.SecretTypeTLS)
		l.found.add(findings.NoUsableCertificate, field, "there is no certificate to serve with")
		return nil
	}
	var keys []ir.CertificateKey
	codes := certificateCodes{invalid: findings.CertificateInvalid, denied: findings.CertificateDenied}
	for i := range l.spec.TLS.CertificateRefs {
		cert := b.certificate(certificateUse{l.owner, &l.spec.TLS.CertificateRefs[i], item(field, i), codes}, &l.found)
		if cert == nil || slices.Contains(keys, cert.made.Key) {
			continue
		}
		keys = append(keys, cert.made.Key)
		l.names = append(l.names, cert.names...)
		b.certificates[cert.made.Key] = cert.made
	}
	if len(keys) == 0 {
		l.found.add(findings.NoUsableCertificate, field, "no certificate is usable; correct the references")
	}
	return keys
}

// certificate is one that was read and checked.
type certificate struct {
	made *ir.Certificate
	// names are the DNS names that it is for, lower case.
	names []string
}

// certificateUse is a reference to a certificate, and how to report what is
// wrong with it.
type certificateUse struct {
	from  resources.Key
	ref   *gatewayv1.SecretObjectReference
	field string
	codes certificateCodes
}

type certificateCodes struct{ invalid, denied findings.Code }

// certificate resolves one reference; nil where it leads to nothing usable. The
// grant is looked at before the Secret, so that a denied reference reads the
// same whether the Secret exists or not.
func (b *frameBuilder) certificate(use certificateUse, found *notes) *certificate {
	group, kind := orDefault(use.ref.Group, corev1.GroupName), orDefault(use.ref.Kind, gatewayv1.Kind(resources.Secret))
	if group != corev1.GroupName || resources.Kind(kind) != resources.Secret {
		found.add(use.codes.invalid, use.field, "%s of group %q holds no certificate for Sluice; refer to a Secret", kind, group)
		return nil
	}
	key := resources.Key{Kind: resources.Secret, Namespace: string(orDefault(use.ref.Namespace, gatewayv1.Namespace(use.from.Namespace))), Name: string(use.ref.Name)}
	if !granted(b.view, reference{use.from.Kind, use.from.Namespace, corev1.GroupName, key}) {
		found.add(use.codes.denied, use.field, "%s", deniedMessage(use.from, key))
		return nil
	}
	secret, state := resources.Get[*corev1.Secret](b.view, key)
	switch state {
	case resources.Pending:
		return nil
	case resources.Absent:
		found.add(use.codes.invalid, use.field+".name", "%v does not exist; create it, or correct the name", key)
		return nil
	}
	cert, err := readCertificate(secret)
	if err != nil {
		found.add(use.codes.invalid, use.field, "%v %v", key, err)
		return nil
	}
	cert.made.Key = ir.CertificateKey{Namespace: key.Namespace, Name: key.Name}
	return cert
}

// deniedMessage says that a grant is missing. It tells nothing of the target.
func deniedMessage(from, to resources.Key) string {
	return fmt.Sprintf("no ReferenceGrant in namespace %s lets a %s of namespace %s refer to %v; create one there, or use a %s of this namespace",
		to.Namespace, from.Kind, from.Namespace, to, to.Kind)
}

// readCertificate reads and checks a chain and its key. Errors never hold any
// of the Secret's content.
func readCertificate(secret *corev1.Secret) (*certificate, error) {
	chain, key := secretValue(secret, corev1.TLSCertKey), secretValue(secret, corev1.TLSPrivateKeyKey)
	switch {
	case len(chain) == 0:
		return nil, fmt.Errorf("has no %s; put the certificate chain there, as PEM", corev1.TLSCertKey)
	case len(key) == 0:
		return nil, fmt.Errorf("has no %s; put the private key there, as PEM", corev1.TLSPrivateKeyKey)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("holds no certificate with its private key (%s); put a PEM chain into %s and the key that belongs to it into %s",
			strings.TrimPrefix(err.Error(), "tls: "), corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
	}
	return &certificate{
		made:  &ir.Certificate{Chain: string(chain), PrivateKey: ir.Secret(key)},
		names: namesOf(pair.Leaf),
	}, nil
}

// secretValue reads a value as the API server would give it: stringData of a
// directory's YAML is laid over data.
func secretValue(secret *corev1.Secret, name string) []byte {
	if text, ok := secret.StringData[name]; ok {
		return []byte(text)
	}
	return secret.Data[name]
}

func namesOf(leaf *x509.Certificate) []string {
	if leaf == nil {
		return nil
	}
	names := make([]string, 0, len(leaf.DNSNames))
	for _, name := range leaf.DNSNames {
		names = append(names, strings.ToLower(name))
	}
	return names
}

// readBundle reads trust anchors: at least one certificate, and nothing that is
// none. It returns them as PEM, without what stood between them.
func readBundle(text string) (string, error) {
	var bundle strings.Builder
	rest := []byte(text)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return "", fmt.Errorf("holds a PEM block of type %s, and only CERTIFICATE is of use", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return "", fmt.Errorf("holds a certificate that cannot be read: %w", err)
		}
		// A strings.Builder never fails.
		_ = pem.Encode(&bundle, &pem.Block{Type: block.Type, Bytes: block.Bytes})
	}
	if bundle.Len() == 0 {
		return "", fmt.Errorf("holds no PEM certificate")
	}
	return bundle.String(), nil
}
