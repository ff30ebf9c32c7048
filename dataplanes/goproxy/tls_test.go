package goproxy_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

// tlsRig is a rig with one HTTPS port.
type tlsRig struct {
	*rig
	ca   *authority
	port uint16
}

func newTLSRig(t *testing.T) *tlsRig {
	t.Helper()
	return &tlsRig{rig: newRig(t), ca: newAuthority(t), port: freePort(t)}
}

func (r *tlsRig) addr() string { return fmt.Sprintf("127.0.0.1:%d", r.port) }

// https adds a listener and a route whose backend answers the listener's name.
func (r *tlsRig) https(name, hostname string, certs ...*ir.Certificate) *ir.Listener {
	l := &ir.Listener{
		Key: listenerKey(name), Port: r.port, Protocol: ir.HTTPS, Hostname: hostname,
		TLS: &ir.ListenerTLS{Mode: ir.Terminate},
	}
	for _, c := range certs {
		l.TLS.Certificates = append(l.TLS.Certificates, c.Key)
		r.certificate(c)
	}
	r.unit.Proxy.Listeners = append(r.unit.Proxy.Listeners, l)
	route := r.route(name, &ir.Rule{Backends: to(r.backend(name, ir.BackendHTTP1, named(r.t, name)))})
	route.Attachments[0].Hostnames = []string{hostname}
	return l
}

// certificate adds a certificate, or puts it in the place of its namesake.
func (r *tlsRig) certificate(c *ir.Certificate) {
	var kept []*ir.Certificate
	for _, old := range r.unit.Proxy.Certificates {
		if old.Key != c.Key {
			kept = append(kept, old)
		}
	}
	r.unit.Proxy.Certificates = append(kept, c)
}

// replace puts a changed copy of a listener in its place.
func (r *tlsRig) replace(l *ir.Listener) {
	listeners := make([]*ir.Listener, 0, len(r.unit.Proxy.Listeners))
	for _, old := range r.unit.Proxy.Listeners {
		if old.Key == l.Key {
			old = l
		}
		listeners = append(listeners, old)
	}
	r.unit.Proxy.Listeners = listeners
}

// client speaks TLS with the rig under an SNI; certs are shown if asked for.
func (r *tlsRig) client(sni string, certs ...tls.Certificate) *http.Client {
	transport := &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{ServerName: sni, RootCAs: r.ca.pool(), Certificates: certs, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, r.addr())
		},
	}
	return newClient(r.t, transport)
}

// hello makes a handshake and returns the leaf that was shown.
func (r *tlsRig) hello(config *tls.Config) (*x509.Certificate, error) {
	config.RootCAs = r.ca.pool()
	config.InsecureSkipVerify = config.ServerName == "" //nolint:gosec // A client without SNI has no name to verify.
	c, err := tls.Dial("tcp", r.addr(), config)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0], nil
}

func TestSNIChoosesTheListener(t *testing.T) {
	r := newTLSRig(t)
	r.https("exact", "a.example", r.ca.issue("exact", "a.example"))
	r.https("wild", "*.example", r.ca.issue("wild", "*.example", "x.y.example"))
	r.must()
	for sni, want := range map[string]string{
		"a.example": "exact", "A.EXAMPLE": "exact", "b.example": "wild", "x.y.example": "wild",
	} {
		leaf, err := r.hello(&tls.Config{ServerName: sni})
		if err != nil || leaf.Subject.CommonName != want {
			t.Errorf("SNI %q: got %v, %v, want certificate %q", sni, leaf, err, want)
		}
	}
	for _, sni := range []string{"", "example", "a.other"} {
		if _, err := r.hello(&tls.Config{ServerName: sni}); err == nil {
			t.Errorf("SNI %q was let in, and no listener covers it", sni)
		}
	}
	for _, proto := range []string{"h2", "http/1.1"} {
		client := r.client("a.example")
		client.Transport.(*http.Transport).TLSClientConfig.NextProtos = []string{proto}
		client.Transport.(*http.Transport).ForceAttemptHTTP2 = proto == "h2"
		got := get(t, client, "https://a.example/")
		if got.body != "exact" || (got.proto == 2) != (proto == "h2") {
			t.Errorf("%s: got %q over HTTP/%d", proto, got.body, got.proto)
		}
	}
}

func TestNoSNIMeetsTheListenerForEveryHost(t *testing.T) {
	r := newTLSRig(t)
	r.https("exact", "a.example", r.ca.issue("exact", "a.example"))
	r.https("all", "*", r.ca.issue("all", "anything"))
	r.must()
	leaf, err := r.hello(&tls.Config{})
	if err != nil || leaf.Subject.CommonName != "all" {
		t.Errorf("got %v, %v, want certificate all", leaf, err)
	}
}

func TestSeveralCertificatesOfAListener(t *testing.T) {
	r := newTLSRig(t)
	r.https("two", "*.example", r.ca.issueRSA("rsa", "*.example"), r.ca.issue("ecdsa", "*.example"))
	r.must()
	for want, suite := range map[string]uint16{
		"rsa":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		"ecdsa": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	} {
		leaf, err := r.hello(&tls.Config{ServerName: "a.example", MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}})
		if err != nil || leaf.Subject.CommonName != want {
			t.Errorf("a client of %s got %v, %v", want, leaf, err)
		}
	}
}

func TestCertificateRotationKeepsConnections(t *testing.T) {
	r := newTLSRig(t)
	old := r.ca.issue("cert", "a.example")
	r.https("exact", "a.example", old)
	r.must()
	client := r.client("a.example")
	get(t, client, "https://a.example/")
	leaf, err := r.hello(&tls.Config{ServerName: "a.example"})
	if err != nil {
		t.Fatal(err)
	}
	before := leaf.SerialNumber

	r.certificate(r.ca.issue("cert", "a.example"))
	r.must()
	leaf, err = r.hello(&tls.Config{ServerName: "a.example"})
	if err != nil || leaf.SerialNumber.Cmp(before) == 0 {
		t.Errorf("the old certificate is still shown (%v)", err)
	}
	dials := 0
	client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
		dials++
		return nil, net.ErrClosed
	}
	if got := get(t, client, "https://a.example/"); got.status != 200 || dials != 0 {
		t.Errorf("the open connection was lost: %d, %d new dials", got.status, dials)
	}
}

func TestMinimumVersionAndCiphers(t *testing.T) {
	r := newTLSRig(t)
	r.https("exact", "a.example", r.ca.issue("cert", "a.example"))
	r.unit.Proxy.Settings.TLS.MinVersion = ir.TLS13
	r.must()
	if _, err := r.hello(&tls.Config{ServerName: "a.example", MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("TLS 1.2 was let in where 1.3 is the least")
	}
	r.unit.Proxy.Settings.TLS = ir.TLSSettings{
		MinVersion: ir.TLS12, ALPN: []string{"http/1.1"}, Ciphers: []string{"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
	}
	r.must()
	config := &tls.Config{
		ServerName: "a.example", MaxVersion: tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	}
	if _, err := r.hello(config); err == nil {
		t.Error("a cipher suite that is not listed was agreed on")
	}
	config.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}
	if _, err := r.hello(config); err != nil {
		t.Error(err)
	}
}

func TestMisdirectedRequests(t *testing.T) {
	r := newTLSRig(t)
	all := r.ca.issue("all", "example.org", "second-example.org", "a.wildcard.org", "d.wildcard.org", "unknown-example.org")
	r.https("all", "*", all)
	r.unit.Proxy.Routes[0].Attachments[0].Hostnames = []string{"example.org"}
	r.https("second", "second-example.org", all)
	r.https("wild", "*.wildcard.org", all)
	r.https("fourth", "d.wildcard.org", all)
	r.must()
	for _, c := range []struct {
		sni, host string
		status    int
	}{
		{"example.org", "example.org", 200},
		{"example.org", "EXAMPLE.org.", 200},
		{"example.org", "second-example.org", 421},
		{"example.org", "unknown-example.org", 404},
		{"second-example.org", "second-example.org", 200},
		{"second-example.org", "example.org", 421},
		{"second-example.org", "unknown-example.org", 421},
		{"a.wildcard.org", "f.wildcard.org", 200},
		{"a.wildcard.org", "d.wildcard.org", 421},
		{"d.wildcard.org", "f.wildcard.org", 421},
		{"unknown-example.org", "example.org", 200},
	} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+c.sni+"/", nil)
		req.Host = c.host
		if got := do(t, r.client(c.sni), req); got.status != c.status {
			t.Errorf("SNI %s, Host %s: got %d, want %d", c.sni, c.host, got.status, c.status)
		}
	}
}
