package envoy_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
)

// tlsRig is a rig with one port of HTTPS.
type tlsRig struct {
	*plane
	ca   *authority
	port uint16
}

func newTLSRig(t testing.TB) *tlsRig {
	t.Helper()
	return &tlsRig{plane: newRig(t, dataplanes.Options{}), ca: newAuthority(t), port: rig.FreePort(t)}
}

func (r *tlsRig) addr() string { return fmt.Sprintf("127.0.0.1:%d", r.port) }

// https adds a listener and a route whose backend answers the listener's name.
func (r *tlsRig) https(name, hostname string, certs ...*ir.Certificate) *ir.Listener {
	l := &ir.Listener{
		Key: rig.ListenerKey(name), Port: r.port, Protocol: ir.HTTPS, Hostname: hostname,
		TLS: &ir.ListenerTLS{Mode: ir.Terminate},
	}
	for _, c := range certs {
		l.TLS.Certificates = append(l.TLS.Certificates, c.Key)
		r.certificate(c)
	}
	r.Unit.Proxy.Listeners = append(r.Unit.Proxy.Listeners, l)
	r.Route(name, "/", &ir.Rule{Backends: rig.To(r.Backend(name, rig.Named(r.T, name)))})
	r.Unit.Proxy.Routes[len(r.Unit.Proxy.Routes)-1].Attachments[0].Hostnames = []string{hostname}
	return l
}

// certificate adds a certificate, or puts it in the place of its namesake.
func (r *tlsRig) certificate(c *ir.Certificate) {
	kept := slices.DeleteFunc(slices.Clone(r.Unit.Proxy.Certificates), func(old *ir.Certificate) bool { return old.Key == c.Key })
	r.Unit.Proxy.Certificates = append(kept, c)
}

// change puts a changed copy of a listener in its place.
func (r *tlsRig) change(l *ir.Listener, edit func(*ir.Listener)) *ir.Listener {
	next := *l
	if l.TLS != nil {
		settings := *l.TLS
		next.TLS = &settings
	}
	edit(&next)
	listeners := slices.Clone(r.Unit.Proxy.Listeners)
	listeners[slices.Index(listeners, l)] = &next
	r.Unit.Proxy.Listeners = listeners
	return &next
}

// session is a connection of a client.
type session struct {
	*tls.Conn
	reader *bufio.Reader
}

func (r *tlsRig) dial(config *tls.Config) (*session, error) {
	config.RootCAs = r.ca.pool()
	c, err := tls.Dial("tcp", r.addr(), config)
	if err != nil {
		return nil, err
	}
	r.T.Cleanup(func() { c.Close() })
	return &session{c, bufio.NewReader(c)}, nil
}

func (r *tlsRig) mustDial(sni string) *session {
	r.T.Helper()
	s, err := r.dial(&tls.Config{ServerName: sni})
	if err != nil {
		r.T.Fatal(err)
	}
	return s
}

// ask returns the status of an answer, and whether the connection ends with it; 0
// where there is none.
func (s *session) ask(host string) (status int, ends bool) {
	_ = s.SetDeadline(time.Now().Add(rig.Patience))
	fmt.Fprintf(s, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host)
	response, err := http.ReadResponse(s.reader, nil)
	if err != nil {
		return 0, true
	}
	response.Body.Close()
	return response.StatusCode, response.Close
}

// status is what a new connection is told; 0 where it is not let in.
func (r *tlsRig) status(sni string, config *tls.Config) int {
	config.ServerName = sni
	s, err := r.dial(config)
	if err != nil {
		return 0
	}
	status, _ := s.ask(sni)
	return status
}

// leaf is the certificate that a client is shown.
func (r *tlsRig) leaf(config *tls.Config) (*x509.Certificate, error) {
	s, err := r.dial(config)
	if err != nil {
		return nil, err
	}
	return s.ConnectionState().PeerCertificates[0], nil
}

// showing is a client that shows a certificate whoever asks.
func showing(cert tls.Certificate) *tls.Config {
	return &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }}
}

// TestAnEditDrainsItsListenerAlone changes one listener of a port.
func TestAnEditDrainsItsListenerAlone(t *testing.T) {
	r := newTLSRig(t)
	changed := r.https("changed", "a.example", r.ca.issue("a", "a.example"))
	r.https("other", "b.example", r.ca.issue("b", "b.example"))
	r.Must()
	a, b := r.mustDial("a.example"), r.mustDial("b.example")
	for host, s := range map[string]*session{"a.example": a, "b.example": b} {
		if status, ends := s.ask(host); status != 200 || ends {
			t.Fatalf("%s: got %d, ends %t", host, status, ends)
		}
	}
	r.certificate(r.ca.issue("a2", "a.example"))
	r.change(changed, func(l *ir.Listener) { l.TLS.Certificates = []ir.CertificateKey{{Namespace: "infra", Name: "a2"}} })
	r.Must()
	if status, ends := a.ask("a.example"); status != 200 || !ends {
		t.Errorf("a connection of the changed listener: got %d, ends %t; want to be served and asked to go", status, ends)
	}
	if leaf, err := r.leaf(&tls.Config{ServerName: "a.example"}); err != nil || leaf.Subject.CommonName != "a2" {
		t.Errorf("a new connection: %v, %v", leaf, err)
	}
	// Another listener comes, and a port's default with it.
	r.https("third", "c.example", r.ca.issue("c", "c.example"))
	r.Must()
	if status, ends := b.ask("b.example"); status != 200 || ends {
		t.Errorf("a connection of another listener: got %d, ends %t", status, ends)
	}
}

// TestAKeyIsRotatedWithoutAnyLoss keeps the connection, and shows the new one to
// the next.
func TestAKeyIsRotatedWithoutAnyLoss(t *testing.T) {
	r := newTLSRig(t)
	r.https("exact", "a.example", r.ca.issue("cert", "a.example"))
	r.Must()
	before, s := r.mustDial("a.example").ConnectionState().PeerCertificates[0], r.mustDial("a.example")
	r.certificate(r.ca.issue("cert", "a.example"))
	r.Must()
	leaf, err := r.leaf(&tls.Config{ServerName: "a.example"})
	if err != nil || leaf.SerialNumber.Cmp(before.SerialNumber) == 0 {
		t.Errorf("the old certificate is still shown (%v)", err)
	}
	if status, ends := s.ask("a.example"); status != 200 || ends {
		t.Errorf("the open connection: got %d, ends %t", status, ends)
	}
}

// TestNewDemandHoldsForOpenConnections has a client whose connection is older than
// the demand for certificates: it must not pass on the strength of that, whatever
// the demand becomes.
func TestNewDemandHoldsForOpenConnections(t *testing.T) {
	clients, others := newAuthority(t), newAuthority(t)
	r := newTLSRig(t)
	l := r.https("exact", "a.example", r.ca.issue("cert", "a.example"))
	r.Must()
	old := r.mustDial("a.example")
	if status, _ := old.ask("a.example"); status != 200 {
		t.Fatalf("before: %d", status)
	}
	l = r.change(l, func(l *ir.Listener) {
		l.TLS.ClientValidation = &ir.ClientValidation{CAs: pemOf(clients), Required: true}
	})
	r.Must()
	if status, ends := old.ask("a.example"); status != 421 || !ends {
		t.Errorf("a connection from before the demand: got %d, ends %t", status, ends)
	}
	good := showing(pair(t, clients.issue("good")))
	good.ServerName = "a.example"
	admitted, err := r.dial(good)
	if err != nil {
		t.Fatal(err)
	}
	if status, ends := admitted.ask("a.example"); status != 200 || ends {
		t.Errorf("with a certificate: got %d, ends %t", status, ends)
	}
	l = r.change(l, func(l *ir.Listener) {
		l.TLS.ClientValidation = &ir.ClientValidation{CAs: pemOf(others), Required: true}
	})
	r.Must()
	if status, ends := admitted.ask("a.example"); status != 421 || !ends {
		t.Errorf("under a new authority: got %d, ends %t", status, ends)
	}
	r.change(l, func(l *ir.Listener) { l.TLS.ClientValidation = nil })
	r.Must()
	if status := r.status("a.example", &tls.Config{}); status != 200 {
		t.Errorf("with no demand any more: got %d", status)
	}
}

// oneTicket is a client that shows the last ticket it got to every name.
type oneTicket struct{ session *tls.ClientSessionState }

func (o *oneTicket) Get(string) (*tls.ClientSessionState, bool) { return o.session, o.session != nil }

func (o *oneTicket) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		o.session = s
	}
}

// TestTicketsOpenNothing has a client with a ticket of one listener try the others
// of the port: one that asks for certificates, one that nobody has, and its own when
// that has come to refuse everybody.
func TestTicketsOpenNothing(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) { ticketsOpenNothing(t, version) })
	}
}

func ticketsOpenNothing(t *testing.T, version uint16) {
	t.Helper()
	r := newTLSRig(t)
	cert := r.ca.issue("cert", "a.example", "b.example")
	l := r.https("exact", "a.example", cert)
	strict := r.https("strict", "b.example", cert)
	strict.TLS.ClientValidation = &ir.ClientValidation{CAs: pemOf(r.ca), Required: true}
	r.Must()
	tickets := &oneTicket{}
	config := func() *tls.Config {
		return &tls.Config{ClientSessionCache: tickets, MaxVersion: version, InsecureSkipVerify: true} //nolint:gosec // What is shown is not what is tested.
	}
	if got := r.status("a.example", config()); got != 200 || tickets.session == nil {
		t.Fatalf("got %d and the ticket %v", got, tickets.session)
	}
	for _, name := range []string{"b.example", "nobody.example"} {
		if got := r.status(name, config()); got != 0 {
			t.Errorf("a ticket opened %s: %d", name, got)
		}
	}
	before := r.mustDial("a.example")
	r.change(l, func(l *ir.Listener) {
		l.TLS.ClientValidation = &ir.ClientValidation{CAs: "nothing", Required: true}
	})
	r.Apply()
	if got := r.status("a.example", config()); got != 0 {
		t.Errorf("a listener that refuses every handshake took a ticket: %d", got)
	}
	if got, _ := before.ask("a.example"); got != 421 {
		t.Errorf("a connection from before got %d, want 421", got)
	}
}
