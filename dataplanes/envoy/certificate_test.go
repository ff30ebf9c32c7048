package envoy_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

// TestSeveralCertificatesOfAListener has one for each kind of key.
func TestSeveralCertificatesOfAListener(t *testing.T) {
	r := newTLSRig(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	r.https("two", "*.example", r.ca.sign("rsa", key, "r.example"), r.ca.issue("ecdsa", "*.example"))
	r.Must()
	for name, want := range map[string]string{"r.example": "rsa", "a.example": "ecdsa", "not.there.example": "rsa"} {
		leaf, err := r.leaf(&tls.Config{ServerName: name, InsecureSkipVerify: true}) //nolint:gosec // The last name is in none of them.
		if err != nil || leaf.Subject.CommonName != want {
			t.Errorf("%s got %v, %v; want %s", name, leaf, err, want)
		}
	}
}

func TestMinimumVersionAndCiphers(t *testing.T) {
	r := newTLSRig(t)
	r.https("exact", "a.example", r.ca.issue("cert", "a.example"))
	r.Unit.Proxy.Settings.TLS.MinVersion = ir.TLS13
	r.Must()
	if got := r.status("a.example", &tls.Config{MaxVersion: tls.VersionTLS12}); got != 0 {
		t.Error("TLS 1.2 was let in where 1.3 is the least")
	}
	r.Unit.Proxy.Settings.TLS = ir.TLSSettings{MinVersion: ir.TLS12, ALPN: []string{"http/1.1"}, Ciphers: []string{
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256",
	}}
	r.Must()
	only := func(suite uint16) *tls.Config {
		return &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}}
	}
	if got := r.status("a.example", only(tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)); got != 0 {
		t.Error("a cipher suite that is not listed was agreed on")
	}
	if got := r.status("a.example", only(tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)); got != 200 {
		t.Errorf("a cipher suite that is listed: got %d", got)
	}
	r.Unit.Proxy.Settings.TLS.Ciphers = []string{"TLS_RSA_WITH_RC4_128_SHA"}
	out := r.Apply()
	if len(out.Problems) != 1 || !strings.Contains(out.Problems[0].Message, "TLS_RSA_WITH_RC4_128_SHA") {
		t.Errorf("a cipher suite that nobody should use: %v", out.Problems)
	}
	if got := r.status("a.example", &tls.Config{}); got != 0 {
		t.Errorf("without the ciphers that were asked for: got %d, want no handshake", got)
	}
}

// TestACertificateThatIsRefusedCostsItsListenerAlone has keys of all kinds.
func TestACertificateThatIsRefusedCostsItsListenerAlone(t *testing.T) {
	keys := map[string]func() (crypto.Signer, error){
		"p384": func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) },
		"p521": func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) },
		"ed25519": func() (crypto.Signer, error) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			return key, err
		},
		"rsa": func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 1024) }, //nolint:gosec // That it is weak is the point.
	}
	r := newTLSRig(t)
	r.https("good", "*.example", r.ca.issue("good", "*.example"))
	r.Must()
	open := r.mustDial("a.example")
	for name, make := range keys {
		key, err := make()
		if err != nil {
			t.Fatal(err)
		}
		r.https(name, name+".example", r.ca.sign(name, key, name+".example"))
	}
	out := r.Apply()
	refused := map[string]bool{}
	for _, p := range out.Problems {
		refused[p.Origin.Section] = true
	}
	if len(refused) != 1 || !refused["rsa"] {
		t.Errorf("refused: %v", out.Problems)
	}
	for name := range keys {
		want := 200
		if refused[name] {
			want = 0
		}
		if got := r.status(name+".example", &tls.Config{}); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
	if got, ends := open.ask("a.example"); got != 200 || ends {
		t.Errorf("the good one's connection: got %d, ends %t", got, ends)
	}
}

func TestClientCertificates(t *testing.T) {
	clients, strangers := newAuthority(t), newAuthority(t)
	vouched := clients.under()
	good, bad, indirect := showing(pair(t, clients.issue("good"))), showing(pair(t, strangers.issue("bad"))), showing(pair(t, vouched.issue("indirect")))
	odd := "some words\n" + pemOf(clients) + "-----BEGIN NONSENSE-----\nAAAA\n-----END NONSENSE-----\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	for name, c := range map[string]struct {
		rules                   ir.ClientValidation
		none, bad, good, viaSub int
	}{
		"required":                 {ir.ClientValidation{CAs: pemOf(clients), Required: true}, 0, 0, 200, 0},
		"with words around":        {ir.ClientValidation{CAs: odd, Required: true}, 0, 0, 200, 0},
		"an intermediate":          {ir.ClientValidation{CAs: pemOf(vouched), Required: true}, 0, 0, 0, 200},
		"fallback":                 {ir.ClientValidation{CAs: pemOf(clients)}, 200, 200, 200, 200},
		"fallback without anchors": {ir.ClientValidation{}, 200, 200, 200, 200},
		"required without anchors": {ir.ClientValidation{Required: true}, 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTLSRig(t)
			r.https("exact", "a.example", r.ca.issue("cert", "a.example")).TLS.ClientValidation = &c.rules
			r.Must()
			for who, got := range map[string][2]int{
				"without a certificate": {r.status("a.example", &tls.Config{}), c.none},
				"a stranger":            {r.status("a.example", bad.Clone()), c.bad},
				"a client":              {r.status("a.example", good.Clone()), c.good},
				"one at second hand":    {r.status("a.example", indirect.Clone()), c.viaSub},
			} {
				if got[0] != got[1] {
					t.Errorf("%s: got %d, want %d", who, got[0], got[1])
				}
			}
		})
	}
}
