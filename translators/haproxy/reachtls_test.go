package haproxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// secureAt serves TLS at an address for those who name the host alone.
func secureAt(t *testing.T, at ir.Endpoint, cert *tls.Certificate, host string, protocols ...string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", fmt.Sprintf("%s:%d", at.Address, at.Port))
	if err != nil {
		t.Skip("somebody else has the port")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: protocols, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if hello.ServerName != host {
			return nil, errors.New("nobody of that name is here")
		}
		return cert, nil
	}}
	s := &http.Server{ReadHeaderTimeout: time.Minute, ErrorLog: quiet(), TLSConfig: config, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	})}
	go func() { _ = s.ServeTLS(l, "", "") }()
	t.Cleanup(func() { _ = s.Close() })
}

func TestEndpointsOfTLSAreTakenBack(t *testing.T) {
	for protocol, want := range map[ir.BackendProtocol]string{ir.BackendHTTP1: "HTTP/1.1", ir.BackendH2: "HTTP/2.0"} {
		t.Run(want, func(t *testing.T) {
			cert := issued(t, "backend", "ecdsa", "b.internal")
			one, other := refusing(t), refusing(t)
			secureAt(t, one, pair(t, cert), "b.internal", "h2", "http/1.1")
			h := reached(t, ir.Backend{
				Key: ir.BackendKey{Protocol: protocol}, TLS: &ir.BackendTLS{Hostname: "b.internal", CAs: cert.Chain},
				Ejection: &ir.Ejection{Failures: 1, BaseTime: ir.Duration(50 * time.Millisecond), MaxTime: ir.Duration(time.Minute), MaxPercent: 50},
			}, one, other)
			for range 4 {
				if status, text := heard(t, h.url); status != http.StatusOK || text != want {
					t.Fatalf("answer: %d %q", status, text)
				}
			}
			waitFor(t, "left out", func() bool { return strings.Contains(h.stat(t, at(other)), "DOWN") })
			secureAt(t, other, pair(t, cert), "b.internal", "h2", "http/1.1")
			waitFor(t, "taken back", func() bool { return !strings.Contains(h.stat(t, at(other)), "DOWN") })
		})
	}
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
