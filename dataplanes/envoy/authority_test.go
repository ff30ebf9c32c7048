package envoy_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// authority issues certificates.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  crypto.Signer
}

// newAuthority returns a root.
func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, key: newKey(t)}
	template := a.template("authority")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	a.cert = a.make(template, template, a.key.Public())
	return a
}

// under returns an authority that this one vouches for.
func (a *authority) under() *authority {
	b := &authority{t: a.t, key: newKey(a.t)}
	template := a.template("intermediate")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	b.cert = a.make(template, a.cert, b.key.Public())
	return b
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) template(name string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
}

func (a *authority) make(template, parent *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// pem returns the certificates of some authorities.
func pemOf(authorities ...*authority) string {
	var all bytes.Buffer
	for _, a := range authorities {
		_ = pem.Encode(&all, &pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
	}
	return all.String()
}

// issue returns a certificate for names.
func (a *authority) issue(name string, dns ...string) *ir.Certificate {
	return a.sign(name, newKey(a.t), dns...)
}

// sign returns the certificate of a key, and what the authority is itself.
func (a *authority) sign(name string, key crypto.Signer, dns ...string) *ir.Certificate {
	a.t.Helper()
	template := a.template(name)
	template.DNSNames = dns
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	cert := a.make(template, a.cert, key.Public())
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	var chain, secret bytes.Buffer
	_ = pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	_ = pem.Encode(&secret, &pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return &ir.Certificate{
		Key:   ir.CertificateKey{Namespace: "infra", Name: name},
		Chain: chain.String(), PrivateKey: ir.Secret(secret.String()),
	}
}

// pair is a certificate as clients show it.
func pair(t testing.TB, c *ir.Certificate) tls.Certificate {
	t.Helper()
	p, err := tls.X509KeyPair([]byte(c.Chain), []byte(string(c.PrivateKey)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
