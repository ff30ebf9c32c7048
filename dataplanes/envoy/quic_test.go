package envoy_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
)

func newH3Rig(t testing.TB) *tlsRig {
	t.Helper()
	r := newTLSRig(t)
	r.Unit.Proxy.Settings.HTTP3 = ir.HTTP3{Enabled: true, AltSvcMaxAge: ir.Duration(time.Hour)}
	return r
}

// dialQUICWith connects from an address.
func (r *tlsRig) dialQUICWith(source netip.Addr, config *tls.Config) (*quic.Conn, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(source, 0)))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	config.RootCAs, config.NextProtos = r.ca.pool(), []string{"h3"}
	c, err := quic.Dial(ctx, conn, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(r.addr())), config, nil)
	r.T.Cleanup(func() {
		cancel()
		conn.Close()
	})
	return c, err
}

// dialQUIC connects from an address.
func (r *tlsRig) dialQUIC(source netip.Addr, sni string) (*quic.Conn, error) {
	return r.dialQUICWith(source, &tls.Config{ServerName: sni})
}

// visitor is a client of HTTP/3 that counts its connections.
type visitor struct {
	*http.Client
	dials atomic.Int32
}

func (r *tlsRig) visitor(sni string) *visitor {
	v := &visitor{}
	transport := &http3.Transport{
		TLSClientConfig: &tls.Config{ServerName: sni, RootCAs: r.ca.pool()},
		Dial: func(ctx context.Context, _ string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
			v.dials.Add(1)
			tlsConfig.ServerName = sni
			return quic.DialAddr(ctx, r.addr(), tlsConfig, config)
		},
	}
	r.T.Cleanup(func() { transport.Close() })
	v.Client = &http.Client{Transport: transport, Timeout: rig.Patience}
	return v
}

// visit returns the answer to a request.
func (v *visitor) visit(t testing.TB, host string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := v.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

// TestAnEditLeavesOthersQUICAlone changes, adds and takes away listeners of a port
// of which another has connections.
func TestAnEditLeavesOthersQUICAlone(t *testing.T) {
	r := newH3Rig(t)
	changed := r.https("changed", "a.example", r.ca.issue("a", "a.example"))
	r.https("other", "b.example", r.ca.issue("b", "b.example"))
	r.Must()
	a, b := r.visitor("a.example"), r.visitor("b.example")
	serves := func(v *visitor, host, name string) {
		t.Helper()
		if status, body := v.visit(t, host); status != 200 || body != name {
			t.Errorf("%s: got %d %q", host, status, body)
		}
	}
	serves(a, "a.example", "changed")
	serves(b, "b.example", "other")
	r.certificate(r.ca.issue("a2", "a.example"))
	r.change(changed, func(l *ir.Listener) { l.TLS.Certificates = []ir.CertificateKey{{Namespace: "infra", Name: "a2"}} })
	r.Must()
	serves(b, "b.example", "other")
	serves(r.visitor("a.example"), "a.example", "changed")
	serves(a, "a.example", "changed")
	r.https("third", "c.example", r.ca.issue("c", "c.example"))
	r.Must()
	serves(b, "b.example", "other")
	serves(r.visitor("c.example"), "c.example", "third")
	if n := b.dials.Load(); n != 1 {
		t.Errorf("a client of another listener made %d connections, want 1", n)
	}
}

// TestTicketsOfQUICOpenNothing has a client with a ticket of one listener try one
// that asks for certificates.
func TestTicketsOfQUICOpenNothing(t *testing.T) {
	r := newH3Rig(t)
	cert := r.ca.issue("cert", "a.example", "b.example")
	r.https("exact", "a.example", cert)
	r.https("strict", "b.example", cert).TLS.ClientValidation = &ir.ClientValidation{CAs: pemOf(r.ca), Required: true}
	r.Must()
	tickets := &oneTicket{}
	c, err := r.dialQUICWith(stranger, &tls.Config{ServerName: "a.example", ClientSessionCache: tickets})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.CloseWithError(0x100, "")
	c, err = r.dialQUICWith(stranger, &tls.Config{ServerName: "b.example", ClientSessionCache: tickets})
	if err != nil {
		return
	}
	// A client of TLS 1.3 learns afterwards that its certificate was missed.
	select {
	case <-c.Context().Done():
	case <-time.After(rig.Patience):
		t.Error("a client without a certificate stays connected")
	}
}

// TestClientCertificatesOverQUIC are held to the same rules.
func TestClientCertificatesOverQUIC(t *testing.T) {
	clients, strangers := newAuthority(t), newAuthority(t)
	shown := map[string]*tls.Config{
		"nothing": {}, "a stranger's": showing(pair(t, strangers.issue("bad"))), "a client's": showing(pair(t, clients.issue("good"))),
	}
	for name, c := range map[string]struct {
		rules ir.ClientValidation
		in    map[string]bool
	}{
		"required":                 {ir.ClientValidation{CAs: pemOf(clients), Required: true}, map[string]bool{"a client's": true}},
		"fallback":                 {ir.ClientValidation{CAs: pemOf(clients)}, map[string]bool{"nothing": true, "a stranger's": true, "a client's": true}},
		"fallback without anchors": {ir.ClientValidation{}, map[string]bool{"nothing": true, "a stranger's": true, "a client's": true}},
		"required without anchors": {ir.ClientValidation{Required: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newH3Rig(t)
			r.https("other", "b.example", r.ca.issue("other", "b.example"))
			r.https("exact", "a.example", r.ca.issue("exact", "a.example")).TLS.ClientValidation = &c.rules
			r.Must()
			for what, config := range shown {
				config := config.Clone()
				config.ServerName = "a.example"
				if got := r.admits(config); got != c.in[what] {
					t.Errorf("with %s certificate: admitted %t", what, got)
				}
			}
		})
	}
}

// admits says whether a client is served: one of TLS 1.3 learns only then that its
// certificate was refused.
func (r *tlsRig) admits(config *tls.Config) bool {
	c, err := r.dialQUICWith(stranger, config)
	if err != nil {
		return false
	}
	transport := &http3.Transport{}
	request, err := http.NewRequest(http.MethodGet, "https://a.example/", nil) //nolint:noctx // The connection has a bound.
	if err != nil {
		r.T.Fatal(err)
	}
	response, err := transport.NewClientConn(c).RoundTrip(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}
