package envoy_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
)

// TestAnUnspecifiedAddressServesBothFamilies, and trusts those of IPv4 by their own
// addresses.
func TestAnUnspecifiedAddressServesBothFamilies(t *testing.T) {
	if ln, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("skipped: there is no IPv6 here: " + err.Error())
	} else {
		ln.Close()
	}
	r := newTLSRig(t)
	plain := r.Listen("plain")
	r.Route("plain", "/", &ir.Rule{Backends: rig.To(r.Backend("telling", rig.Serve(t, tellingAddress)))})
	r.trusting()
	proxy := *r.Unit.Proxy
	r.Local.Apply(dataplanes.Assignment{
		Unit: &ir.Unit{Proxy: &proxy, Endpoints: r.Unit.Endpoints}, Version: "both", Address: netip.IPv6Unspecified(),
	})
	if o := r.Await("both"); len(o.Problems) > 0 {
		t.Fatal(o.Problems)
	}
	_, port, _ := strings.Cut(plain, ":")
	for source, want := range map[netip.Addr]string{
		netip.IPv6Loopback(): "::1", stranger: "127.0.0.6", friend: "nothing",
	} {
		host := "127.0.0.1"
		if source.Is6() {
			host = "::1"
		}
		if got := said(from(t, source, net.JoinHostPort(host, port), "")); got != want {
			t.Errorf("from %s: got %q, want %q", source, got, want)
		}
	}
	if got := said(from(t, friend, "127.0.0.1:"+port, header4)); got != "192.0.2.7" {
		t.Errorf("from a friend with a header: %q", got)
	}
}

// pieces is a connection whose first record is sent in pieces, and as records of
// its own each where split is true.
type pieces struct {
	net.Conn
	split bool
	done  bool
}

func (p *pieces) Write(b []byte) (int, error) {
	if p.done {
		return p.Conn.Write(b)
	}
	p.done = true
	head, body := b[:5], b[5:]
	const size = 40
	for at := 0; at < len(body); at += size {
		piece := body[at:min(at+size, len(body))]
		var out bytes.Buffer
		switch {
		case p.split:
			out.Write([]byte{head[0], head[1], head[2], 0, byte(len(piece))})
		case at == 0:
			out.Write(head)
		}
		out.Write(piece)
		if _, err := p.Conn.Write(out.Bytes()); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// TestHellosInPieces lead where whole ones lead: never to a wider listener.
func TestHellosInPieces(t *testing.T) {
	r := newTLSRig(t)
	r.https("exact", "a.example", r.ca.issue("exact", "a.example"))
	closed := r.https("closed", "closed.example", r.ca.issue("closed", "closed.example"))
	closed.Refused, closed.TLS = "why", nil
	r.Unit.Proxy.Routes = r.Unit.Proxy.Routes[:1]
	r.https("all", "*", r.ca.issue("all", "a.example", "closed.example"))
	r.Must()
	for _, split := range []bool{false, true} {
		for name, want := range map[string]string{"a.example": "exact", "closed.example": "", "CLOSED.example": "", "closed.example.": ""} {
			config := &tls.Config{ServerName: name, InsecureSkipVerify: true} //nolint:gosec // Which one is shown is what is tested.
			c := tls.Client(&pieces{Conn: from(t, stranger, r.addr(), ""), split: split}, config)
			got := ""
			if err := c.HandshakeContext(t.Context()); err == nil {
				got = c.ConnectionState().PeerCertificates[0].Subject.CommonName
			}
			if got != want {
				t.Errorf("%s, records of their own %t: led to %q, want %q", name, split, got, want)
			}
		}
	}
}

// TestHostsOfOthersAreMisdirected, however they are written, and on one connection
// with those that are not.
func TestHostsOfOthersAreMisdirected(t *testing.T) {
	r := newTLSRig(t)
	r.https("a", "a.example", r.ca.issue("a", "a.example"))
	r.https("wild", "*.example", r.ca.issue("wild", "*.example"))
	r.Must()
	s := r.mustDial("a.example")
	for _, c := range []struct {
		host string
		want int
	}{
		{"a.example", 200}, {"A.Example", 200}, {"a.example:8443", 200}, {"a.example.", 200},
		{"b.example", 421}, {"B.EXAMPLE", 421}, {"b.example:443", 421}, {"b.example.", 421}, {"x.b.example:1", 421},
		{"example", 404}, {"other", 404}, {"127.0.0.1", 404}, {"[::1]:443", 404}, {"a.example", 200},
	} {
		if got, ends := s.ask(c.host); got != c.want || ends {
			t.Errorf("%s: got %d, ends %t; want %d", c.host, got, ends, c.want)
		}
	}
	many := newTLSRig(t)
	for i := range 3 {
		name := fmt.Sprintf("h%d.example", i)
		many.https(fmt.Sprint(i), name, many.ca.issue(fmt.Sprint(i), name))
	}
	many.Must()
	if got, _ := many.mustDial("h1.example").ask("h2.example"); got != 421 {
		t.Errorf("got %d, want 421", got)
	}
}

// TestHandshakesThatNeverEndAreGivenUp has a client that says hello and nothing
// more, on a listener that has time for one of a stream too.
func TestHandshakesThatNeverEndAreGivenUp(t *testing.T) {
	t.Parallel()
	r := newTLSRig(t)
	r.https("exact", "a.example", r.ca.issue("exact", "a.example"))
	r.Must()
	c := from(t, stranger, r.addr(), "")
	silent := tls.Client(&mute{Conn: c}, &tls.Config{ServerName: "a.example", RootCAs: r.ca.pool()})
	err := silent.HandshakeContext(t.Context())
	var late net.Error
	if err == nil || errors.As(err, &late) && late.Timeout() {
		t.Errorf("got %v, want the end", err)
	}
}

// mute is a connection that says one thing and then waits for the end.
type mute struct {
	net.Conn
	said bool
}

func (m *mute) Write(b []byte) (int, error) {
	if !m.said {
		m.said = true
		return m.Conn.Write(b)
	}
	_, err := io.Copy(io.Discard, m.Conn)
	return 0, errors.Join(err, io.ErrClosedPipe)
}
