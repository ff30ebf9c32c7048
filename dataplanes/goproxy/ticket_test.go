package goproxy_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// oneTicket is a client that shows the last ticket it got to every name.
type oneTicket struct{ session *tls.ClientSessionState }

var _ tls.ClientSessionCache = (*oneTicket)(nil)

func (o *oneTicket) Get(string) (*tls.ClientSessionState, bool) {
	return o.session, o.session != nil
}

func (o *oneTicket) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		o.session = s
	}
}

func (o *oneTicket) dial(r *tlsRig, sni string, version uint16) (*tls.Conn, error) {
	return tls.Dial("tcp", r.addr(), &tls.Config{
		ServerName: sni, InsecureSkipVerify: true, //nolint:gosec // What is shown is not what is tested.
		ClientSessionCache: o, NextProtos: []string{"http/1.1"}, MaxVersion: version,
	})
}

// ask sends a request over a connection and returns the status, or 0.
func ask(c *tls.Conn, host string) int {
	_ = c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

// TestTicketsOpenNothing has a client with a ticket of one listener try names
// that no listener covers, and a listener that has come to refuse everybody.
func TestTicketsOpenNothing(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) { ticketsOpenNothing(t, version) })
	}
}

func ticketsOpenNothing(t *testing.T, version uint16) {
	t.Helper()
	r := newTLSRig(t)
	l := *r.https("exact", "a.example", r.ca.issue("cert", "a.example"))
	r.must()
	var tickets oneTicket
	before, err := tickets.dial(r, "a.example", version)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if got := ask(before, "a.example"); got != 200 || tickets.session == nil {
		t.Fatalf("got %d and the ticket %v", got, tickets.session)
	}
	if c, err := tickets.dial(r, "nobody.example", version); err == nil {
		t.Errorf("a name that no listener covers was let in: %d", ask(c, "nobody.example"))
		c.Close()
	}
	settings := *l.TLS
	settings.ClientValidation = &ir.ClientValidation{CAs: r.ca.pem(), Required: true}
	settings.Certificates = []ir.CertificateKey{{Namespace: "x", Name: "gone"}}
	l.TLS = &settings
	r.replace(&l)
	if o := r.apply(); len(o.Problems) == 0 {
		t.Fatal("a listener without its certificate is no problem")
	}
	if c, err := tickets.dial(r, "a.example", version); err == nil {
		t.Errorf("a listener that refuses every handshake took a ticket: %d", ask(c, "a.example"))
		c.Close()
	}
	if got := ask(before, "a.example"); got != 421 {
		t.Errorf("a connection from before got %d, want 421", got)
	}
}
