package goproxy_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/quic-go/quic-go"

	"github.com/sluice-gateway/sluice/ir"
)

func TestHTTP3ClientCertificates(t *testing.T) {
	clients, strangers := newAuthority(t), newAuthority(t)
	good, bad := pair(t, clients.issue("good")), pair(t, strangers.issue("bad"))
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
			r := newH3Rig(t)
			l := r.https("exact", "a.example", r.ca.issue("cert", "a.example"))
			l.TLS.ClientValidation = &c.rules
			r.must()
			if got := fetch(t, r.client3("a.example")); got != c.none {
				t.Errorf("without a certificate: %d, want %d", got, c.none)
			}
			if got := fetch(t, r.showing3(bad)); got != c.right {
				t.Errorf("with a stranger's certificate: %d, want %d", got, c.right)
			}
			if got := fetch(t, r.showing3(good)); got != c.ours {
				t.Errorf("with a good certificate: %d, want %d", got, c.ours)
			}
		})
	}
}

func (r *tlsRig) showing3(cert tls.Certificate) *http.Client {
	transport := r.transport3("a.example")
	transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &cert, nil
	}
	return &http.Client{Transport: transport, Timeout: 2 * patience}
}

// TestHTTP3NewDemandHoldsForOpenConnections is its namesake's for TCP. The client
// is asked to go, so it has another connection for its next request.
func TestHTTP3NewDemandHoldsForOpenConnections(t *testing.T) {
	clients := newAuthority(t)
	r := newH3Rig(t)
	l := r.https("exact", "a.example", r.ca.issue("cert", "a.example"))
	r.must()
	c, err := r.dialQUIC("a.example")
	if err != nil {
		t.Fatal(err)
	}
	request := frame(1, fieldSection(t, ":method", "GET", ":scheme", "https", ":authority", "a.example", ":path", "/"))
	if got := ask3(t, c, request); got.status != 200 {
		t.Fatalf("before: %+v", got)
	}
	changed, settings := *l, *l.TLS
	settings.ClientValidation = &ir.ClientValidation{CAs: clients.pem(), Required: true}
	changed.TLS = &settings
	r.replace(&changed)
	r.must()
	if got := ask3(t, c, request); got.status != 421 {
		t.Errorf("on a connection from before the demand: %+v, want 421", got)
	}
	select {
	case <-c.Context().Done():
	case <-time.After(patience):
		t.Error("the connection stays open")
	}
	if got := fetch(t, r.showing3(pair(t, clients.issue("good")))); got != 200 {
		t.Errorf("with a certificate: %d, want 200", got)
	}
}

// TestHTTP3TicketsOpenNothing is its namesake's for TCP: a ticket of one listener
// carries nobody past another's rules, nor past new ones. Nor is a request in
// early data.
func TestHTTP3TicketsOpenNothing(t *testing.T) {
	r := newH3Rig(t)
	l := *r.reflecting("a", "a.example")
	guarded := r.reflecting("b", "b.example")
	guarded.TLS.ClientValidation = &ir.ClientValidation{CAs: r.ca.pem(), Required: true}
	r.must()
	var tickets lastTicket
	client := r.resuming(&tickets, "a.example")
	if got := get(t, client, "https://a.example/"); got.status != 200 {
		t.Fatalf("got %d", got.status)
	}
	wait.For(t, "a ticket", func() bool { _, ok := tickets.Get(""); return ok })
	if got := get(t, r.resuming(&tickets, "a.example"), "https://a.example/"); got.status != 200 {
		t.Errorf("with a ticket: %d", got.status)
	}
	for _, sni := range []string{"b.example", "nobody.example"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+sni+"/", nil)
		if res, err := r.resuming(&tickets, sni).Do(req); err == nil {
			res.Body.Close()
			t.Errorf("%s took a ticket of another listener: %d", sni, res.StatusCode)
		}
	}
	r.offersNoEarlyData(&tickets)
	settings := *l.TLS
	settings.ClientValidation = &ir.ClientValidation{CAs: r.ca.pem(), Required: true}
	l.TLS = &settings
	r.replace(&l)
	r.must()
	if got := fetch(t, r.resuming(&tickets, "a.example")); got != 0 {
		t.Errorf("a demand that is newer than the ticket let it in: %d", got)
	}
}

// offersNoEarlyData comes back with a ticket, in a hurry.
func (r *tlsRig) offersNoEarlyData(tickets *lastTicket) {
	r.t.Helper()
	config := &tls.Config{
		ServerName: "a.example", NextProtos: []string{"h3"}, MinVersion: tls.VersionTLS13, ClientSessionCache: tickets,
		InsecureSkipVerify: true, //nolint:gosec // A ticket is good for clients that are as careless as the one that got it.
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	c, err := quic.DialAddrEarly(ctx, r.addr(), config, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.CloseWithError(0x100, "") //nolint:errcheck // It may be closed.
	select {
	case <-c.HandshakeComplete():
	case <-ctx.Done():
		r.t.Fatal(ctx.Err())
	}
	if state := c.ConnectionState(); state.Used0RTT || !state.TLS.DidResume {
		r.t.Errorf("early data taken: %t; resumed: %t", state.Used0RTT, state.TLS.DidResume)
	}
}

// lastTicket is oneTicket for clients that get theirs at any time.
type lastTicket struct {
	mu   sync.Mutex
	last oneTicket
}

var _ tls.ClientSessionCache = (*lastTicket)(nil)

func (l *lastTicket) Get(name string) (*tls.ClientSessionState, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last.Get(name)
}

func (l *lastTicket) Put(name string, s *tls.ClientSessionState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last.Put(name, s)
}

// resuming is a client that shows its last ticket to every name.
func (r *tlsRig) resuming(tickets *lastTicket, sni string) *http.Client {
	transport := r.transport3(sni)
	transport.TLSClientConfig.ClientSessionCache = tickets
	transport.TLSClientConfig.InsecureSkipVerify = true
	return &http.Client{Transport: transport, Timeout: 2 * patience}
}
