package envoy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
)

// immense is a pattern that Go takes, and RE2 has not the memory for.
var immense = "/" + strings.Repeat(`[a-cx-z0-36-8A-CX-Z]{1000}`, 130)

func regexRule(pattern string, use []ir.BackendUse) *ir.Rule {
	return &ir.Rule{Backends: use, Matches: []ir.Match{{Path: ir.PathMatch{Kind: ir.Regex, Value: pattern}}}}
}

// brokenRule holds what no front end makes, and the translator does not look for.
func brokenRule(use []ir.BackendUse) *ir.Rule {
	return &ir.Rule{Backends: use, Retry: &ir.Retry{Attempts: 1, Backoff: math.MaxInt64}}
}

// What Envoy refuses costs the rule that asks for it, and heals with it.
func TestRefusedRule(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	use := rig.To(r.Backend("one", rig.Named(t, "one")))
	r.Route("http", "/good", &ir.Rule{Backends: use})
	r.Must()
	bad := r.Route("http", "/bad", brokenRule(use))
	other := r.Route("http", "/other", &ir.Rule{Backends: use})
	r.Refused("Envoy refuses it: ", bad)
	rig.WantAnswer(t, addr+"/good", 200, "one")
	rig.WantAnswer(t, addr+"/other", 200, "one")
	rig.WantAnswer(t, addr+"/bad", 500, "")

	// An edit of something else finds it refused as before.
	more := *other
	more.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Remove: []string{"Server"}}}}
	r.Unit.Proxy.Routes[2] = rig.WithRule(r.Unit.Proxy.Routes[2], &more)
	r.Refused("Envoy refuses it: ", bad)
	rig.WantAnswer(t, addr+"/bad", 500, "")

	good := *bad
	good.Retry = nil
	r.Unit.Proxy.Routes[1] = rig.WithRule(r.Unit.Proxy.Routes[1], &good)
	r.Must()
	rig.WantAnswer(t, addr+"/bad", 200, "one")
}

// A rule whose expression is refused keeps the paths that begin as it does, and
// no others: what else it would match is not known.
func TestRefusedMatch(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	use := rig.To(r.Backend("one", rig.Named(t, "one")))
	r.Route("http", "/", &ir.Rule{Backends: use})
	bad := r.Route("http", "", regexRule(immense, use))
	r.Refused("pattern too large", bad)
	rig.WantAnswer(t, addr+"/", 200, "one")
	kept := r.Route("http", "", regexRule("/kept"+immense, use))
	r.Refused("pattern too large", bad, kept)
	rig.WantAnswer(t, addr+"/", 200, "one")
	rig.WantAnswer(t, addr+"/kept/a", 500, "")
	r.Route("http", "", regexRule("/[a-z]+(-[0-9]{1,40}){1,20}", use))
	r.Refused("pattern too large", bad, kept)
}

// Several at once, of several kinds.
func TestSeveralRefusedRules(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	use := rig.To(r.Backend("one", rig.Named(t, "one")))
	var bad []*ir.Rule
	for i := range 40 {
		path := fmt.Sprint("/", i)
		switch i {
		case 3, 4, 30:
			bad = append(bad, r.Route("http", path, brokenRule(use)))
		case 39:
			bad = append(bad, r.Route("http", path, regexRule(immense, use)))
		default:
			r.Route("http", path, &ir.Rule{Backends: use})
		}
	}
	r.Refused("Envoy refuses it: ", bad...)
	rig.WantAnswer(t, addr+"/5", 200, "one")
	rig.WantAnswer(t, addr+"/3", 500, "")
}

// One among 5,000.
func TestOneRefusedAmongMany(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	use := rig.To(r.Backend("one", rig.Named(t, "one")))
	for i := range 4999 {
		r.Route("http", fmt.Sprint("/", i), &ir.Rule{Backends: use})
	}
	bad := r.Route("http", "/bad", brokenRule(use))
	r.Refused("Envoy refuses it: ", bad)
	rig.WantAnswer(t, addr+"/4711", 200, "one")
	rig.WantAnswer(t, addr+"/bad", 500, "")
}

// A backend that Envoy cannot have costs the rules that send to it.
func TestRefusedBackend(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	use := rig.To(r.Backend("one", rig.Named(t, "one")))
	r.Route("http", "/good", &ir.Rule{Backends: use})
	key := r.Backend("bad", rig.Named(t, "bad"))
	r.Unit.Proxy.Backends[1] = &ir.Backend{Key: key, TLS: &ir.BackendTLS{
		Hostname: strings.Repeat("a", 300), SANs: []ir.SAN{{DNS: "a.example"}},
		CAs: certificate(t, "ca", "ca.example", elliptic.P256()).Chain,
	}}
	first := r.Route("http", "/bad", &ir.Rule{Backends: rig.To(key)})
	second := r.Route("http", "/both", &ir.Rule{Backends: append(rig.To(key), use...)})
	r.Refused("Envoy refuses it: UpstreamTlsContextValidationError.Sni: value length must be at most 255 bytes", first, second)
	rig.WantAnswer(t, addr+"/good", 200, "one")
	rig.WantAnswer(t, addr+"/bad", 500, "")
	rig.WantAnswer(t, addr+"/both", 500, "")
	r.Unit.Proxy.Backends[1] = &ir.Backend{Key: key}
	r.Must()
	rig.WantAnswer(t, addr+"/bad", 200, "bad")
}

// A client certificate that BoringSSL refuses costs the rules of its backend.
func TestRefusedClientCertificate(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	r.Route("http", "/good", &ir.Rule{Backends: rig.To(r.Backend("one", rig.Named(t, "one")))})
	key := r.Backend("bad", rig.Named(t, "bad"))
	r.Unit.Proxy.Certificates = []*ir.Certificate{certificate(t, "client", "client.example", elliptic.P224())}
	r.Unit.Proxy.Backends[1] = &ir.Backend{Key: key, TLS: &ir.BackendTLS{
		Hostname: "a.example", CAs: certificate(t, "ca", "ca.example", elliptic.P256()).Chain, ClientCertificate: &r.Unit.Proxy.Certificates[0].Key,
	}}
	r.Refused("Envoy refuses it: ", r.Route("http", "/bad", &ir.Rule{Backends: rig.To(key)}))
	rig.WantAnswer(t, addr+"/good", 200, "one")
	rig.WantAnswer(t, addr+"/bad", 500, "")
}

// A certificate that BoringSSL refuses costs its listener; those beside it serve.
func TestRefusedCertificate(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	port := rig.FreePort(t)
	r.secure(port, "good", "good.example", elliptic.P256())
	r.secure(port, "bad", "bad.example", elliptic.P224())
	alone := rig.FreePort(t)
	r.secure(alone, "alone", "alone.example", elliptic.P224())
	out := r.Apply()
	got := map[string]string{}
	for _, p := range out.Problems {
		got[p.Origin.Section] = p.Message
		if strings.Contains(p.Message, "BEGIN") || len(p.Message) > 600 {
			t.Errorf("%q holds too much", p.Message)
		}
	}
	if len(got) != 2 || !strings.Contains(got["bad"], "Envoy refuses it: ") || !strings.Contains(got["alone"], "Envoy refuses it: ") {
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
	r.Unit.Proxy.Certificates[1] = certificate(t, "bad", "bad.example", elliptic.P384())
	r.Unit.Proxy.Certificates[2] = certificate(t, "alone", "alone.example", elliptic.P256())
	r.Must()
	for port, name := range map[uint16]string{port: "bad.example", alone: "alone.example"} {
		if err := handshake(port, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func handshake(port uint16, name string) error {
	conn, err := tls.Dial("tcp", fmt.Sprint("127.0.0.1:", port), &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err == nil {
		conn.Close()
	}
	return err
}

// secure adds a listener of HTTPS with a certificate of its own.
func (r *plane) secure(port uint16, name, hostname string, curve elliptic.Curve) {
	c := certificate(r.T, name, hostname, curve)
	r.Unit.Proxy.Certificates = append(r.Unit.Proxy.Certificates, c)
	r.Unit.Proxy.Listeners = append(r.Unit.Proxy.Listeners, &ir.Listener{
		Key: rig.ListenerKey(name), Port: port, Protocol: ir.HTTPS, Hostname: hostname,
		TLS: &ir.ListenerTLS{Mode: ir.Terminate, Certificates: []ir.CertificateKey{c.Key}},
	})
}

func certificate(t testing.TB, name, hostname string, curve elliptic.Curve) *ir.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: hostname}, DNSNames: []string{hostname},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
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

// A hostname that Envoy refuses costs what is under it, is told in Envoy's words,
// and heals.
func TestRefusedHostname(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	r.Route("http", "/", &ir.Rule{Backends: rig.To(r.Backend("one", rig.Named(t, "one")))})
	r.Must()
	good := *r.Unit.Proxy
	r.Unit.Proxy.Listeners = []*ir.Listener{{Key: rig.ListenerKey("http"), Port: good.Listeners[0].Port, Protocol: ir.HTTP, Hostname: "a\x00b"}}
	r.Send()
	out := r.Until("an answer", func(o dataplanes.Outcome) bool { return len(o.Problems) > 0 })
	if !strings.Contains(out.Problems[0].Message, "Envoy refuses it: ") {
		t.Errorf("%+v, want Envoy's words", out)
	}
	*r.Unit.Proxy = good
	r.Must()
	rig.WantAnswer(t, addr, 200, "one")
}
