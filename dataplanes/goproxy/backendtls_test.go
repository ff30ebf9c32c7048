package goproxy_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

// serveTLS starts a backend that shows a certificate, and answers what it saw.
func serveTLS(t *testing.T, config *tls.Config) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			who = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		fmt.Fprintf(w, "%s %s HTTP/%d", r.TLS.ServerName, who, r.ProtoMajor)
	}))
	s.TLS = config
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestBackendTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	serverCert := ca.issue("server", "backend.example", "spiffe://cluster/backend")
	shown := ca.issue("gateway")
	server := &tls.Config{Certificates: []tls.Certificate{pair(t, serverCert)}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	policy := func(change func(*ir.BackendTLS)) *ir.BackendTLS {
		p := &ir.BackendTLS{Hostname: "backend.example", CAs: ca.pem()}
		if change != nil {
			change(p)
		}
		return p
	}
	for _, c := range []struct {
		name     string
		protocol ir.BackendProtocol
		tls      *ir.BackendTLS
		status   int
		body     string
	}{
		{"HTTP/1.1", ir.BackendHTTP1, policy(nil), 200, "backend.example nobody HTTP/1"},
		{"HTTP/2", ir.BackendH2, policy(nil), 200, "backend.example nobody HTTP/2"},
		{"client certificate", ir.BackendHTTP1, policy(func(p *ir.BackendTLS) { p.ClientCertificate = &shown.Key }), 200, "backend.example gateway HTTP/1"},
		{"other hostname", ir.BackendHTTP1, policy(func(p *ir.BackendTLS) { p.Hostname = "x.example" }), 503, ""},
		{"other authority", ir.BackendHTTP1, policy(func(p *ir.BackendTLS) { p.CAs = other.pem() }), 503, ""},
		{"no authority", ir.BackendHTTP1, policy(func(p *ir.BackendTLS) { p.CAs = "" }), 503, ""},
		{"system's authorities", ir.BackendHTTP1, policy(func(p *ir.BackendTLS) { p.CAs, p.SystemCAs = "", true }), 503, ""},
		{"URI SAN", ir.BackendHTTP1, policy(func(p *ir.BackendTLS) {
			p.Hostname, p.SANs = "sni.example", []ir.SAN{{DNS: "no.example"}, {URI: "spiffe://cluster/backend"}}
		}), 200, "sni.example nobody HTTP/1"},
		{"wildcard SAN", ir.BackendHTTP1, policy(func(p *ir.BackendTLS) { p.SANs = []ir.SAN{{DNS: "*.example"}} }), 200, "backend.example nobody HTTP/1"},
		{"SANs in the place of the hostname", ir.BackendHTTP1, policy(func(p *ir.BackendTLS) { p.SANs = []ir.SAN{{DNS: "x.example"}} }), 503, ""},
		{"SAN of another authority", ir.BackendHTTP1, policy(func(p *ir.BackendTLS) {
			p.CAs, p.SANs = other.pem(), []ir.SAN{{DNS: "backend.example"}}
		}), 503, ""},
		{"invalid policy", ir.BackendHTTP1, policy(func(p *ir.BackendTLS) { p.Invalid = "no such ConfigMap" }), 503, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			addr := r.listen("http")
			key := r.backend("b", c.protocol, serveTLS(t, server))
			r.unit.Proxy.Backends[0].TLS = c.tls
			r.unit.Proxy.Certificates = []*ir.Certificate{shown}
			r.route("http", &ir.Rule{Backends: to(key)})
			r.must()
			got := get(t, plain(t), "http://"+addr+"/")
			if got.status != c.status || c.body != "" && got.body != c.body {
				t.Errorf("got %d %q, want %d %q", got.status, got.body, c.status, c.body)
			}
		})
	}
}
