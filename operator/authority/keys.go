package authority

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

const (
	// caLife is how long an authority is valid, and successorAt how long before
	// its end it gets a successor.
	caLife      = 365 * 24 * time.Hour
	successorAt = 90 * 24 * time.Hour
	// spread is how long an authority is handed out before it signs: kubelets
	// renew mounted ConfigMaps within minutes, and a node may be away for a while.
	spread = 24 * time.Hour
	// serverLife is how long a server certificate is valid. It is made anew at half
	// of it.
	serverLife = 7 * 24 * time.Hour
	// skew is how far clocks may differ.
	skew = time.Hour
	// sessionBytes is the length of the session root and of the keys made of it.
	sessionBytes = 32
)

// keys are the content of the Secret.
type keys struct {
	// Authorities are ordered by age, the oldest first.
	Authorities []authority `json:"authorities"`
	// Sessions is the root of all session keys, base64.
	Sessions string `json:"sessions"`
}

type authority struct {
	// Certificate and Key are PEM.
	Certificate string    `json:"certificate"`
	Key         string    `json:"key"`
	SignsFrom   time.Time `json:"signsFrom"`

	leaf   *x509.Certificate
	signer crypto.Signer
}

// read reads what write wrote.
func read(data []byte) (*keys, error) {
	k := &keys{}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(k); err != nil {
		return nil, fmt.Errorf("it is not what this operator wrote: %w", err)
	}
	for i := range k.Authorities {
		if err := k.Authorities[i].parse(); err != nil {
			return nil, fmt.Errorf("authority %d: %w", i, err)
		}
	}
	if _, err := k.root(); err != nil {
		return nil, err
	}
	if len(k.Authorities) == 0 {
		return nil, errors.New("it holds no authority")
	}
	return k, nil
}

func (k *keys) write() ([]byte, error) { return json.Marshal(k) }

func (k *keys) root() ([]byte, error) {
	root, err := base64.StdEncoding.DecodeString(k.Sessions)
	if err != nil || len(root) != sessionBytes {
		return nil, fmt.Errorf("the root of session keys is not %d bytes of base64", sessionBytes)
	}
	return root, nil
}

func (a *authority) parse() error {
	pair, err := tls.X509KeyPair([]byte(a.Certificate), []byte(a.Key))
	if err != nil {
		return err
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return errors.New("its key cannot sign")
	}
	a.leaf, a.signer = pair.Leaf, signer
	return nil
}

// renewed returns the keys as they are to be now, and whether that is another
// content: a successor is made in time, and what has ended goes.
func (k *keys) renewed(now time.Time) (*keys, bool, error) {
	next := &keys{Sessions: k.Sessions}
	for _, a := range k.Authorities {
		if now.Before(a.leaf.NotAfter) {
			next.Authorities = append(next.Authorities, a)
		}
	}
	changed := len(next.Authorities) != len(k.Authorities)
	if next.Sessions == "" {
		root := make([]byte, sessionBytes)
		_, _ = rand.Read(root) // It never fails (Go 1.24).
		next.Sessions, changed = base64.StdEncoding.EncodeToString(root), true
	}
	n := len(next.Authorities)
	if n > 0 && now.Before(next.Authorities[n-1].leaf.NotAfter.Add(-successorAt)) {
		return next, changed, nil
	}
	signsFrom := now
	if n > 0 {
		signsFrom = now.Add(spread)
	}
	made, err := newAuthority(now, signsFrom)
	if err != nil {
		return nil, false, err
	}
	next.Authorities = append(next.Authorities, made)
	return next, true, nil
}

func newAuthority(now, signsFrom time.Time) (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "sluice-operator"},
		NotBefore: now.Add(-skew), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return authority{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return authority{}, err
	}
	a := authority{
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		Key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		SignsFrom:   signsFrom.UTC().Truncate(time.Second),
	}
	return a, a.parse()
}

func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}

// bundle is what pods believe: every authority, PEM.
func (k *keys) bundle() []byte {
	var all strings.Builder
	for _, a := range k.Authorities {
		all.WriteString(a.Certificate)
	}
	return []byte(all.String())
}

// signs is the newest authority that may sign.
func (k *keys) signs(now time.Time) *authority {
	for i := len(k.Authorities) - 1; i > 0; i-- {
		if !now.Before(k.Authorities[i].SignsFrom) {
			return &k.Authorities[i]
		}
	}
	return &k.Authorities[0]
}

// server makes a certificate for the operator's own server.
func (a *authority) server(name string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ends := now.Add(serverLife)
	if ends.After(a.leaf.NotAfter) {
		ends = a.leaf.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "sluice-operator"}, DNSNames: []string{name},
		NotBefore: now.Add(-skew), NotAfter: ends,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.leaf, key.Public(), a.signer)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// session derives the key of one unit's sticky sessions.
func (k *keys) session(owner ir.Object) (ir.Secret, error) {
	root, err := k.root()
	if err != nil {
		return "", err
	}
	// The parts of a name hold no NUL, so no two owners share a text.
	info := strings.Join([]string{"session", owner.Kind, owner.Namespace, owner.Name}, "\x00")
	key, err := hkdf.Key(sha256.New, root, nil, info, sessionBytes)
	return ir.Secret(key), err
}
