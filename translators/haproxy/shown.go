package haproxy

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/sluice-gateway/sluice/ir"
)

// shortestRSA is how many bits a key of RSA has at least for HAProxy to load its
// certificate, as OpenSSL is set up everywhere (security level 2).
const shortestRSA = 2048

// show has a certificate of ours shown, where the backend asks for one.
func (u *upstream) show(t *ir.BackendTLS) bool {
	if t.ClientCertificate == nil {
		return true
	}
	if u.client == nil {
		return false
	}
	if u.weak = weakness(u.client.Chain); u.weak != nil {
		return false
	}
	f := &File{
		Name: "shown/" + u.client.Key.Namespace + "_" + u.client.Key.Name + ".pem", Kind: Certificate,
		Secret: ir.Secret(u.client.Chain + "\n" + string(u.client.PrivateKey) + "\n"),
	}
	u.files = append(u.files, f)
	u.params.SslCertificate = f.Name
	return true
}

// clientCertificate is the certificate that a backend is shown; nil for none.
func (c *Config) clientCertificate(b *ir.Backend) *ir.Certificate {
	if b.TLS == nil || b.TLS.ClientCertificate == nil {
		return nil
	}
	if l := c.made.leaves[*b.TLS.ClientCertificate]; l != nil {
		return l.from
	}
	return nil
}

// unshowable is why a backend of a rule cannot be shown the certificate that it is to
// be shown: HAProxy would not start with it. It is nil where all can.
func (c *Config) unshowable(rule *ir.Rule) error {
	for i := range rule.Backends {
		key := rule.Backends[i].Backend
		if key == nil {
			continue
		}
		if u := c.upstream(*key); u.weak != nil {
			return fmt.Errorf("backends[%d]: client certificate %s/%s: %w", i, u.client.Key.Namespace, u.client.Key.Name, u.weak)
		}
	}
	return nil
}

// weakness is why HAProxy does not load a chain of certificates; nil where it does.
func weakness(chain string) error {
	for rest := []byte(chain); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return err
		}
		if key, is := cert.PublicKey.(*rsa.PublicKey); is && key.N.BitLen() < shortestRSA {
			return fmt.Errorf("its RSA key has %d bits; HAProxy wants %d or more", key.N.BitLen(), shortestRSA)
		}
		if signedWeakly(cert) {
			return fmt.Errorf("it is signed with %s; HAProxy wants SHA-256 or better", cert.SignatureAlgorithm)
		}
	}
}

// signedWeakly says whether OpenSSL minds how a certificate is signed. Nobody asks how
// one is that has signed itself.
func signedWeakly(cert *x509.Certificate) bool {
	switch cert.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return string(cert.RawIssuer) != string(cert.RawSubject)
	}
	return false
}
