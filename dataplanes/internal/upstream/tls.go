package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
)

// clientTLS returns how a backend's endpoints are met; nil for plain text.
func clientTLS(b *ir.Backend, certificate *ir.Certificate) (*tls.Config, error) {
	if b.TLS == nil {
		return nil, nil //nolint:nilnil // Nil is a configuration: plain text.
	}
	if b.TLS.Invalid != "" {
		return nil, errors.New(b.TLS.Invalid)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: b.TLS.Hostname, RootCAs: roots(b.TLS)}
	if len(b.TLS.SANs) > 0 {
		verifyNames(config, b.TLS.SANs)
	}
	return config, showCertificate(config, b.TLS.ClientCertificate, certificate)
}

// roots returns nil, which stands for the system's, only where they are asked
// for. Without any, nothing verifies.
func roots(t *ir.BackendTLS) *x509.CertPool {
	if t.SystemCAs && t.CAs == "" {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(t.CAs))
	return pool
}

func showCertificate(config *tls.Config, key *ir.CertificateKey, certificate *ir.Certificate) error {
	if key == nil {
		return nil
	}
	if certificate == nil {
		return fmt.Errorf("client certificate %s/%s is not part of the unit", key.Namespace, key.Name)
	}
	pair, err := tls.X509KeyPair([]byte(certificate.Chain), []byte(string(certificate.PrivateKey)))
	if err != nil {
		return fmt.Errorf("client certificate %s/%s: %w", key.Namespace, key.Name, err)
	}
	config.Certificates = []tls.Certificate{pair}
	return nil
}

// verifyNames checks the chain and then the alternatives in the place of the
// SNI (BackendTLSPolicy, validation.subjectAltNames).
func verifyNames(config *tls.Config, sans []ir.SAN) {
	roots := config.RootCAs
	config.InsecureSkipVerify = true //nolint:gosec // VerifyConnection below verifies; only the name differs.
	config.VerifyConnection = func(state tls.ConnectionState) error {
		leaf := state.PeerCertificates[0]
		between := x509.NewCertPool()
		for _, c := range state.PeerCertificates[1:] {
			between.AddCert(c)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err != nil {
			return err
		}
		for _, san := range sans {
			if carries(leaf, san) {
				return nil
			}
		}
		return errors.New("the certificate carries none of the subject alternative names of the policy")
	}
}

func carries(leaf *x509.Certificate, san ir.SAN) bool {
	if san.URI != "" {
		return carriesURI(leaf.URIs, san.URI)
	}
	if suffix, isWildcard := strings.CutPrefix(strings.ToLower(san.DNS), "*"); isWildcard {
		for _, name := range leaf.DNSNames {
			if strings.HasSuffix(strings.ToLower(name), suffix) {
				return true
			}
		}
		return false
	}
	return san.DNS != "" && leaf.VerifyHostname(san.DNS) == nil
}

func carriesURI(uris []*url.URL, want string) bool {
	for _, uri := range uris {
		if uri.String() == want {
			return true
		}
	}
	return false
}
