package haproxy_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
)

// broken is a backend by a name that no Service has, and no section of HAProxy's can
// have.
func (r *plane) broken(name string) []ir.BackendUse {
	return rig.To(r.Backend("!"+name, rig.Named(r.T, name)))
}

// What HAProxy refuses costs the rule that asks for it, and heals with it.
func TestRefusedRule(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	use := rig.To(r.Backend("one", rig.Named(t, "one")))
	r.Route("http", "/good", &ir.Rule{Backends: use})
	r.Must()
	bad := r.Route("http", "/bad", &ir.Rule{Backends: append(r.broken("bad"), use...)})
	other := r.Route("http", "/other", &ir.Rule{Backends: use})
	r.Refused("HAProxy refuses it: ", bad)
	rig.WantAnswer(t, addr+"/good", 200, "one")
	rig.WantAnswer(t, addr+"/other", 200, "one")
	rig.WantAnswer(t, addr+"/bad", 500, "")

	// An edit of something else finds it refused as before.
	more := *other
	more.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Remove: []string{"Server"}}}}
	r.Unit.Proxy.Routes[2] = rig.WithRule(r.Unit.Proxy.Routes[2], &more)
	r.Refused("HAProxy refuses it: ", bad)
	rig.WantAnswer(t, addr+"/bad", 500, "")

	good := *bad
	good.Backends = use
	r.Unit.Proxy.Routes[1] = rig.WithRule(r.Unit.Proxy.Routes[1], &good)
	r.Must()
	rig.WantAnswer(t, addr+"/bad", 200, "one")
}

// Several at once, that ask for the same and for other things.
func TestSeveralRefusedRules(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	use := rig.To(r.Backend("one", rig.Named(t, "one")))
	two, three := r.broken("two"), r.broken("three")
	var bad []*ir.Rule
	for i := range 40 {
		path := fmt.Sprint("/", i)
		switch i {
		case 3, 4:
			bad = append(bad, r.Route("http", path, &ir.Rule{Backends: two}))
		case 30:
			bad = append(bad, r.Route("http", path, &ir.Rule{Backends: three}))
		default:
			r.Route("http", path, &ir.Rule{Backends: use})
		}
	}
	r.Refused("HAProxy refuses it: ", bad...)
	rig.WantAnswer(t, addr+"/5", 200, "one")
	rig.WantAnswer(t, addr+"/3", 500, "")
	rig.WantAnswer(t, addr+"/30", 500, "")
}

// One among many.
func TestOneRefusedAmongMany(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	use := rig.To(r.Backend("one", rig.Named(t, "one")))
	for i := range 1999 {
		r.Route("http", fmt.Sprint("/", i), &ir.Rule{Backends: use})
	}
	bad := r.Route("http", "/bad", &ir.Rule{Backends: append(r.broken("bad"), use...)})
	r.Refused("HAProxy refuses it: ", bad)
	rig.WantAnswer(t, addr+"/1711", 200, "one")
	rig.WantAnswer(t, addr+"/bad", 500, "")
}

// A certificate that HAProxy refuses costs its listener; those beside it serve.
func TestRefusedCertificate(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	port := rig.FreePort(t)
	r.secure(port, "good", "good.example")
	r.secure(port, "bad", "bad.example")
	alone := rig.FreePort(t)
	r.secure(alone, "alone", "alone.example")
	r.Must()
	good := r.Unit.Proxy.Certificates
	for i := 1; i <= 2; i++ {
		r.Unit.Proxy.Certificates = slices.Clone(r.Unit.Proxy.Certificates)
		r.Unit.Proxy.Certificates[i] = weak(t, good[i].Key.Name, r.Unit.Proxy.Listeners[i].Hostname)
	}
	out := r.Apply()
	got := map[string]string{}
	for _, p := range out.Problems {
		got[p.Origin.Section] = p.Message
		if strings.Contains(p.Message, "BEGIN") || strings.Contains(p.Message, "/tmp") || len(p.Message) > 600 {
			t.Errorf("%q holds too much", p.Message)
		}
	}
	if len(got) != 2 || !strings.Contains(got["bad"], "HAProxy refuses it: ") || !strings.Contains(got["alone"], "HAProxy refuses it: ") {
		t.Errorf("problems: %v", out.Problems)
	}
	if err := handshake(port, "good.example"); err != nil {
		t.Error(err)
	}
	if err := handshake(port, "bad.example"); err == nil {
		t.Error("bad.example is served")
	}
	if _, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", alone)); err == nil {
		t.Error("a port that nothing serves is open")
	}
	r.Unit.Proxy.Certificates = good
	r.Must()
	for port, name := range map[uint16]string{port: "bad.example", alone: "alone.example"} {
		if err := handshake(port, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func handshake(port uint16, name string) error {
	conn, err := tls.Dial("tcp", fmt.Sprint("127.0.0.1:", port), &tls.Config{ServerName: name, InsecureSkipVerify: true}) //nolint:gosec // It asks who answers.
	if err != nil {
		return err
	}
	defer conn.Close()
	if has := conn.ConnectionState().PeerCertificates[0].DNSNames[0]; has != name {
		return fmt.Errorf("the certificate is for %s", has)
	}
	return nil
}

// secure adds a listener of HTTPS with a certificate of its own.
func (r *plane) secure(port uint16, name, hostname string) {
	c := certificate(r.T, name, hostname)
	r.Unit.Proxy.Certificates = append(r.Unit.Proxy.Certificates, c)
	r.Unit.Proxy.Listeners = append(r.Unit.Proxy.Listeners, &ir.Listener{
		Key: rig.ListenerKey(name), Port: port, Protocol: ir.HTTPS, Hostname: hostname,
		TLS: &ir.ListenerTLS{Mode: ir.Terminate, Certificates: []ir.CertificateKey{c.Key}},
	})
}

// serial numbers certificates, so that a later one is told from an earlier one.
var serial int64

func certificate(t testing.TB, name, hostname string) *ir.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, key, name, hostname, func(leaf *x509.Certificate) ([]byte, error) {
		return x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	})
}

// weak is a certificate with one above it whose key Go takes, and OpenSSL finds too
// small.
func weak(t testing.TB, name, hostname string) *ir.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // It is to be refused.
	if err != nil {
		t.Fatal(err)
	}
	above := encode(t, key, name, "ca.example", func(ca *x509.Certificate) ([]byte, error) {
		ca.IsCA, ca.BasicConstraintsValid = true, true
		return x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	})
	c := certificate(t, name, hostname)
	c.Chain += above.Chain
	return c
}

func encode(t testing.TB, key crypto.Signer, name, hostname string, sign func(*x509.Certificate) ([]byte, error)) *ir.Certificate {
	t.Helper()
	serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: hostname}, DNSNames: []string{hostname},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := sign(template)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &ir.Certificate{
		Key:        ir.CertificateKey{Namespace: "infra", Name: name},
		Chain:      string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		PrivateKey: ir.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})),
	}
}
