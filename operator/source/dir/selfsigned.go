package dir

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source/dir/schema"
)

// selfSignedLife is how long a certificate made on the spot holds. It lives no
// longer than the program.
const selfSignedLife = 365 * 24 * time.Hour

// signer makes certificates for Secrets that ask for one, each once: an edit
// elsewhere must not change what clients were told to trust.
type signer struct {
	now  func() time.Time
	made map[signed]map[string][]byte
}

type signed struct {
	key   resources.Key
	names string
}

// complete returns the object, with a certificate where it asks for one.
func (s *signer) complete(key resources.Key, obj resources.Object) (resources.Object, error) {
	secret, ok := obj.(*corev1.Secret)
	if !ok || secret.Type != corev1.SecretTypeTLS || len(secret.Data) > 0 {
		return obj, nil
	}
	id := signed{key: key, names: secret.Annotations[schema.SelfSigned]}
	if s.made[id] == nil {
		data, err := s.sign(id.names)
		if err != nil {
			return nil, err
		}
		s.made[id] = data
	}
	secret = secret.DeepCopy()
	secret.Data = s.made[id]
	return secret, nil
}

func (s *signer) sign(names string) (map[string][]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, s.template(names), s.template(names), key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}, nil
}

func (s *signer) template(names string) *x509.Certificate {
	now := s.now()
	t := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: "Sluice, self-signed"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(selfSignedLife),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		// A client can be told to trust it as its own authority.
		IsCA: true,
	}
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else if name != "" {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	return t
}
