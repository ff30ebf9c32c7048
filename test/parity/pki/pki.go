package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"sync"
	"time"
)

// Book holds certificate authorities by name and makes each when it is first
// asked for. It is safe for concurrent use.
type Book struct {
	mu  sync.Mutex
	cas map[string]*authority
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// Leaf says what a certificate is for.
type Leaf struct {
	// CA is the name of the authority that signs it.
	CA string `json:"ca,omitempty"`
	// CN is the subject's common name, for the access log and for clients.
	CN   string   `json:"cn,omitempty"`
	DNS  []string `json:"dns,omitempty"`
	IPs  []string `json:"ips,omitempty"`
	URIs []string `json:"uris,omitempty"`
	// Expired makes a certificate whose time is over.
	Expired bool `json:"expired,omitempty"`
	// Key is the kind of its key. Default: p256.
	Key KeyKind `json:"key,omitempty"`
}

// Pair is a certificate and its key, both PEM.
type Pair struct {
	Chain, Key []byte
}

// NewBook returns an empty book.
func NewBook() *Book { return &Book{cas: map[string]*authority{}} }

// CA returns the certificate of the named authority, PEM.
func (b *Book) CA(name string) ([]byte, error) {
	ca, err := b.authority(name)
	if err != nil {
		return nil, err
	}
	return ca.pem, nil
}

// Pool returns a pool of the named authorities.
func (b *Book) Pool(names ...string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for _, name := range names {
		ca, err := b.authority(name)
		if err != nil {
			return nil, err
		}
		pool.AddCert(ca.cert)
	}
	return pool, nil
}

// Issue signs a new certificate.
func (b *Book) Issue(leaf Leaf) (Pair, error) {
	ca, err := b.authority(leaf.CA)
	if err != nil {
		return Pair{}, err
	}
	template, err := leaf.template()
	if err != nil {
		return Pair{}, err
	}
	key, err := leaf.Key.generate()
	if err != nil {
		return Pair{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		return Pair{}, fmt.Errorf("certificate %v: %w", leaf.DNS, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Chain: block("CERTIFICATE", der), Key: block("PRIVATE KEY", keyDER)}, nil
}

// Certificate signs a new certificate for crypto/tls.
func (b *Book) Certificate(leaf Leaf) (tls.Certificate, error) {
	pair, err := b.Issue(leaf)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(pair.Chain, pair.Key)
}

func (b *Book) authority(name string) (*authority, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ca, ok := b.cas[name]; ok {
		return ca, nil
	}
	ca, err := newAuthority(name)
	if err != nil {
		return nil, fmt.Errorf("authority %q: %w", name, err)
	}
	b.cas[name] = ca
	return ca, nil
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "parity " + name},
		NotBefore:             time.Now().Add(-48 * time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert: cert, key: key, pem: block("CERTIFICATE", der)}, err
}

func (l Leaf) template() (*x509.Certificate, error) {
	t := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: l.CN},
		DNSNames:     l.DNS,
		NotBefore:    time.Now().Add(-47 * time.Hour),
		NotAfter:     time.Now().Add(23 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if l.Expired {
		t.NotAfter = time.Now().Add(-24 * time.Hour)
	}
	for _, ip := range l.IPs {
		t.IPAddresses = append(t.IPAddresses, net.ParseIP(ip))
	}
	for _, raw := range l.URIs {
		u, err := url.Parse(raw)
		if err != nil {
			return nil, fmt.Errorf("URI SAN %q: %w", raw, err)
		}
		t.URIs = append(t.URIs, u)
	}
	return t, nil
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		return big.NewInt(1)
	}
	return n
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
