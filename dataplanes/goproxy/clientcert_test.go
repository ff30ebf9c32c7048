package goproxy_test

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

// fetch returns 0 where the connection is refused.
func fetch(t *testing.T, client *http.Client) int {
	t.Helper()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://a.example/", nil)
	res, err := client.Do(req)
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

func TestClientCertificates(t *testing.T) {
	clients, strangers := newAuthority(t), newAuthority(t)
	good := pair(t, clients.issue("good"))
	bad := pair(t, strangers.issue("bad"))
	for _, c := range []struct {
		name              string
		rules             ir.ClientValidation
		none, right, ours int
	}{
		{"required", ir.ClientValidation{CAs: clients.pem(), Required: true}, 0, 0, 200},
		{"fallback", ir.ClientValidation{CAs: clients.pem()}, 200, 200, 200},
		{"required without anchors", ir.ClientValidation{Required: true}, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newTLSRig(t)
			l := r.https("exact", "a.example", r.ca.issue("cert", "a.example"))
			l.TLS.ClientValidation = &c.rules
			r.must()
			if got := fetch(t, r.client("a.example")); got != c.none {
				t.Errorf("without a certificate: %d, want %d", got, c.none)
			}
			if got := fetch(t, r.showing(bad)); got != c.right {
				t.Errorf("with a stranger's certificate: %d, want %d", got, c.right)
			}
			if got := fetch(t, r.showing(good)); got != c.ours {
				t.Errorf("with a good certificate: %d, want %d", got, c.ours)
			}
		})
	}
}

// showing returns a client that shows its certificate whoever asks.
func (r *tlsRig) showing(cert tls.Certificate) *http.Client {
	client := r.client("a.example")
	client.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &cert, nil
	}
	return client
}

// TestNewDemandHoldsForOpenConnections has a client whose connection is older
// than the demand for certificates: it must not pass on the strength of that.
func TestNewDemandHoldsForOpenConnections(t *testing.T) {
	clients := newAuthority(t)
	r := newTLSRig(t)
	l := r.https("exact", "a.example", r.ca.issue("cert", "a.example"))
	r.must()
	client := r.client("a.example")
	if got := fetch(t, client); got != 200 {
		t.Fatalf("before: %d, want 200", got)
	}
	changed := *l
	settings := *l.TLS
	settings.ClientValidation = &ir.ClientValidation{CAs: clients.pem(), Required: true}
	changed.TLS = &settings
	r.replace(&changed)
	r.must()
	if got := fetch(t, client); got == 200 {
		t.Error("a connection from before the demand was served without a certificate")
	}
	if got := fetch(t, r.showing(pair(t, clients.issue("good")))); got != 200 {
		t.Errorf("with a certificate: %d, want 200", got)
	}
}
