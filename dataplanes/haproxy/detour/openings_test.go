package detour_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// authority signs certificates for backends.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, certificate: &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}}
	der, err := x509.CreateCertificate(rand.Reader, a.certificate, a.certificate, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}))
}

// sign makes a certificate that carries a URI.
func (a *authority) sign(t *testing.T, uri string) tls.Certificate {
	t.Helper()
	parsed, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), URIs: []*url.URL{parsed},
	}, a.certificate, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
}

// endpoint runs a server of TLS that shows a certificate.
func endpoint(t *testing.T, show tls.Certificate, handler http.HandlerFunc) ir.Endpoint {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{Certificates: []tls.Certificate{show}} //nolint:gosec // A test's backend.
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	at := s.Listener.Addr().(*net.TCPAddr).AddrPort()
	return ir.Endpoint{Address: at.Addr().String(), Port: at.Port()}
}

// TestEndpointsOfURIs has two endpoints of which one shows the certificate of somebody
// else: it gets nothing, and its share goes to the other.
func TestEndpointsOfURIs(t *testing.T) {
	const uri = "spiffe://cluster/ns/a/sa/b"
	for _, protocol := range []ir.BackendProtocol{ir.BackendHTTP1, ir.BackendH2} {
		t.Run(string(protocol), func(t *testing.T) {
			r, ca := newRig(t), newAuthority(t)
			key := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Namespace: "apps", Service: "s", Port: 443}, Protocol: protocol}
			r.unit.Proxy.Backends = []*ir.Backend{{Key: key, TLS: &ir.BackendTLS{
				Hostname: "b.internal", CAs: ca.pem(), SANs: []ir.SAN{{URI: uri}, {DNS: "other.internal"}},
			}}}
			good := endpoint(t, ca.sign(t, uri), func(w http.ResponseWriter, q *http.Request) {
				_, _ = io.WriteString(w, q.Proto+" "+q.TLS.ServerName)
			})
			bad := endpoint(t, ca.sign(t, "spiffe://cluster/ns/a/sa/c"), func(http.ResponseWriter, *http.Request) {
				t.Error("a request came to an endpoint whose certificate is somebody else's")
			})
			r.unit.Endpoints = []*ir.Endpoints{{Key: key.EndpointsKey, Endpoints: []ir.Endpoint{good, bad}}}
			r.route(ir.Rule{}, key)
			at := r.start()
			want := map[ir.BackendProtocol]string{ir.BackendHTTP1: "HTTP/1.1 b.internal", ir.BackendH2: "HTTP/2.0 b.internal"}[protocol]
			failed := 0
			for range 12 {
				answer := do(t, post(t, at, nil))
				if body, _ := io.ReadAll(answer.Body); string(body) != want {
					failed++
				}
			}
			if failed > 1 {
				t.Errorf("%d requests of 12 found out that an endpoint is somebody else", failed)
			}
		})
	}
}
