package haproxy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// issued makes a certificate that signs itself, and may sign others.
func issued(t *testing.T, name, algorithm string, names ...string) *ir.Certificate {
	t.Helper()
	return issuedBy(t, nil, name, algorithm, names...)
}

func issuedBy(t *testing.T, ca *tls.Certificate, name, algorithm string, names ...string) *ir.Certificate {
	t.Helper()
	var key any
	var public any
	if algorithm == "rsa" {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		key, public = k, &k.PublicKey
	} else {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key, public = k, &k.PublicKey
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: ca == nil, BasicConstraintsValid: true,
	}
	parent, signer := template, key
	if ca != nil {
		parent, signer = ca.Leaf, ca.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &ir.Certificate{
		Key:        ir.CertificateKey{Namespace: "default", Name: name},
		Chain:      string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		PrivateKey: ir.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	}
}

func pair(t *testing.T, c *ir.Certificate) *tls.Certificate {
	t.Helper()
	p, err := tls.X509KeyPair([]byte(c.Chain), []byte(string(c.PrivateKey)))
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

// secure is a listener of HTTPS at port 443.
func secure(hostname string, certificates ...*ir.Certificate) *ir.Listener {
	section := strings.ReplaceAll(hostname, "*", "any")
	l := &ir.Listener{
		Key:  ir.ListenerKey{Owner: ir.Object{Kind: "Gateway", Namespace: "default", Name: "gw"}, Section: section},
		Port: 443, Protocol: ir.HTTPS, Hostname: hostname, TLS: &ir.ListenerTLS{Mode: ir.Terminate},
	}
	for _, c := range certificates {
		l.TLS.Certificates = append(l.TLS.Certificates, c.Key)
	}
	return l
}

// doored is a unit of listeners, each of which answers all requests from a backend of
// its own.
func doored(t *testing.T, settings ir.Settings, certificates []*ir.Certificate, listeners ...*ir.Listener) *Config {
	t.Helper()
	plain := &ir.Listener{
		Key:  ir.ListenerKey{Owner: ir.Object{Kind: "Gateway", Namespace: "default", Name: "gw"}, Section: "plain"},
		Port: 80, Protocol: ir.HTTP, Hostname: "*",
	}
	u := &ir.Unit{Proxy: &ir.Proxy{Settings: settings, Certificates: certificates, Listeners: append([]*ir.Listener{plain}, listeners...)}}
	u.Proxy.Settings.TLS.ALPN = []string{"h2", "http/1.1"}
	for _, l := range listeners {
		if l.Refused != "" {
			continue
		}
		redirect := &ir.Redirect{Hostname: strings.ReplaceAll(l.Hostname, "*", "any"), Status: 302}
		origin := ir.Object{Kind: "HTTPRoute", Namespace: "default", Name: l.Key.Section}
		u.Proxy.Routes = append(u.Proxy.Routes, &ir.Route{
			Origin: origin, Kind: ir.HTTPRoute, Attachments: []ir.Attachment{{Listener: l.Key, Hostnames: []string{l.Hostname}}},
			Rules: []*ir.Rule{{
				Origin: ir.Origin{Object: origin}, Matches: []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: "/"}}},
				Filters: []ir.Filter{{Redirect: redirect}},
			}},
		})
	}
	return Translate(u, somewhere(), nil)
}

// knock asks for a host over a connection that was made for a server name.
type knock struct {
	sni, host string
	with      *tls.Certificate
	sessions  tls.ClientSessionCache
	version   uint16
	// asked is called when a certificate is asked for.
	asked func()
}

// answered says who answered a knock with what: "exact 302 a.example".
func (k knock) answered(t *testing.T, at string) (string, error) {
	t.Helper()
	config := &tls.Config{ServerName: k.sni, InsecureSkipVerify: true, ClientSessionCache: k.sessions, MaxVersion: k.version} //nolint:gosec // It is looked at here.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if k.asked != nil {
			k.asked()
		}
		if k.with == nil {
			return &tls.Certificate{}, nil
		}
		return k.with, nil
	}
	dialer := tls.Dialer{Config: config, NetDialer: &net.Dialer{Timeout: 5 * time.Second}}
	connection, err := dialer.DialContext(t.Context(), "tcp", at)
	if err != nil {
		return "", err
	}
	defer func() { _ = connection.Close() }()
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DialTLSContext: func(_ context.Context, _, _ string) (net.Conn, error) { return connection, nil }},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	host := k.host
	if host == "" {
		host = k.sni
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/", nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body)
	shown := connection.(*tls.Conn).ConnectionState() //nolint:errcheck,forcetypeassert // It is one.
	name := shown.PeerCertificates[0].Subject.CommonName
	if shown.DidResume {
		name += " again"
	}
	to, _ := response.Location()
	if to == nil {
		return name + " " + response.Status[:3], nil
	}
	return name + " " + response.Status[:3] + " " + to.Hostname(), nil
}

// TestServerNames holds each name to the certificate and the routes of its listener.
func TestServerNames(t *testing.T) {
	exact, wild, rest := issued(t, "exact", "rsa", "a.example"), issued(t, "wild", "ec", "*.example", "a.b.example", "*.c.example"), issued(t, "rest", "ec")
	second, old := issued(t, "second", "ec", "second.org"), issued(t, "old", "rsa", "second.org")
	closed := secure("closed.example", exact)
	closed.Refused = "a reason"
	c := doored(t, ir.Settings{}, []*ir.Certificate{exact, wild, rest, second, old},
		secure("a.example", exact), secure("*.example", wild), closed, secure("*", rest, second, old))
	at := serveDoor(t, c)
	for _, one := range []struct {
		knock
		want string
	}{
		{knock{sni: "a.example"}, "exact 302 a.example"},
		{knock{sni: "A.EXAMPLE", host: "a.example"}, "exact 302 a.example"},
		{knock{sni: "b.example"}, "wild 302 any.example"},
		{knock{sni: "a.b.example"}, "wild 302 any.example"},
		{knock{sni: "x.c.example"}, "wild 302 any.example"},
		// HAProxy's wildcards cover one label: what verifies nothing is answered for
		// "*", and gets no farther.
		{knock{sni: "x.y.example"}, ""},
		{knock{sni: "other.org"}, "rest 302 any"},
		{knock{sni: "second.org"}, "second 302 any"},
		{knock{host: "other.org"}, "rest 302 any"},
		{knock{sni: "a.example", host: "b.example"}, "exact 421"},
		{knock{sni: "b.example", host: "a.example"}, "wild 421"},
		{knock{sni: "b.example", host: "x.y.example"}, "wild 302 any.example"},
		{knock{sni: "b.example", host: "closed.example"}, "wild 421"},
		{knock{sni: "b.example", host: "other.org"}, "wild 421"},
		{knock{sni: "other.org", host: "a.example"}, "rest 421"},
		{knock{sni: "closed.example"}, ""},
	} {
		got, err := one.answered(t, at)
		if (err != nil) != (one.want == "") || got != one.want {
			t.Errorf("%s for %s: %q, %v, want %q", one.sni, one.host, got, err, one.want)
		}
	}
}

// serveDoor runs HAProxy, and returns where its port 443 is.
func serveDoor(t *testing.T, c *Config) string {
	t.Helper()
	served(t, c)
	return c.address(443).String()
}

// TestStreams leads connections by their server names, or by their port.
func TestStreams(t *testing.T) {
	cert := issued(t, "cert", "ec", "end.example")
	end, pass, web := secure("end.example", cert), secure("*.pass.example"), secure("web.example", cert)
	end.Protocol, pass.Protocol = ir.TLS, ir.TLS
	pass.TLS = &ir.ListenerTLS{Mode: ir.Passthrough}
	c := doored(t, ir.Settings{}, []*ir.Certificate{cert}, web, end, pass)
	at := serveDoor(t, c)
	got, err := knock{sni: "web.example"}.answered(t, at)
	if got != "cert 302 web.example" || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

// TestClientCertificates demands them of those listeners that do, whatever session a
// client has from others of the port.
func TestClientCertificates(t *testing.T) {
	clients, partners := issued(t, "clients", "ec"), issued(t, "partners", "ec")
	alice, bob := pair(t, issuedBy(t, pair(t, clients), "alice", "ec")), pair(t, issuedBy(t, pair(t, partners), "bob", "ec"))
	cert := issued(t, "cert", "ec")
	demanding := func(hostname, cas string, required bool) *ir.Listener {
		l := secure(hostname, cert)
		l.TLS.ClientValidation = &ir.ClientValidation{CAs: cas, Required: required}
		return l
	}
	at := serveDoor(t, doored(t, ir.Settings{}, []*ir.Certificate{cert},
		demanding("clients.example", "rubbish\n"+clients.Chain, true), demanding("partners.example", partners.Chain, true),
		demanding("anybody.example", clients.Chain, false), demanding("nobody.example", "rubbish", true), secure("*", cert)))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, one := range []struct {
			sni  string
			with *tls.Certificate
			let  bool
		}{
			{"clients.example", alice, true},
			{"clients.example", bob, false},
			{"clients.example", nil, false},
			{"partners.example", bob, true},
			{"partners.example", alice, false},
			{"anybody.example", nil, true},
			{"anybody.example", bob, true},
			{"nobody.example", alice, false},
			{"open.example", nil, true},
		} {
			got, err := knock{sni: one.sni, with: one.with, version: version}.answered(t, at)
			if let := strings.HasPrefix(got, "cert 302"); let != one.let {
				t.Errorf("%s: %q, %v", one.sni, got, err)
			}
		}
		sessions := everywhere{tls.NewLRUClientSessionCache(1)}
		if got, err := (knock{sni: "open.example", sessions: sessions, version: version}).answered(t, at); err != nil {
			t.Errorf("%s, %v", got, err)
		}
		for _, sni := range []string{"clients.example", "nobody.example"} {
			if got, err := (knock{sni: sni, sessions: sessions, version: version}).answered(t, at); err == nil {
				t.Errorf("a session from elsewhere leads to %s: %s", sni, got)
			}
		}
	}
}

// TestFallback asks for certificates where none is demanded, and lets everybody in,
// but not beside a listener that demands one.
func TestFallback(t *testing.T) {
	clients, partners := issued(t, "clients", "ec"), issued(t, "partners", "ec")
	alice, bob := pair(t, issuedBy(t, pair(t, clients), "alice", "ec")), pair(t, issuedBy(t, pair(t, partners), "bob", "ec"))
	cert := issued(t, "cert", "ec")
	listener := func(hostname, cas string, required bool) *ir.Listener {
		l := secure(hostname, cert)
		l.TLS.ClientValidation = &ir.ClientValidation{CAs: cas, Required: required}
		return l
	}
	for _, demanded := range []bool{false, true} {
		at := serveDoor(t, doored(t, ir.Settings{}, []*ir.Certificate{cert},
			listener("any.example", clients.Chain, false), listener("rubbish.example", "rubbish", false),
			listener("other.example", clients.Chain, demanded), secure("*", cert)))
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, with := range []*tls.Certificate{nil, alice, bob} {
				for sni, want := range map[string]bool{"any.example": !demanded, "rubbish.example": false, "open.example": false} {
					asked := false
					got, err := knock{sni: sni, with: with, version: version, asked: func() { asked = true }}.answered(t, at)
					if !strings.HasPrefix(got, "cert 302") || asked != want {
						t.Errorf("%s: %q, %v; asked %v, want %v", sni, got, err, asked, want)
					}
				}
			}
		}
	}
}

// everywhere keeps one session for all servers.
type everywhere struct{ tls.ClientSessionCache }

func (e everywhere) Get(string) (*tls.ClientSessionState, bool) { return e.ClientSessionCache.Get("") }

func (e everywhere) Put(_ string, s *tls.ClientSessionState) { e.ClientSessionCache.Put("", s) }

// TestSessions are resumed where no listener of the port demands anything.
func TestSessions(t *testing.T) {
	cert := issued(t, "cert", "ec")
	at := serveDoor(t, doored(t, ir.Settings{}, []*ir.Certificate{cert}, secure("a.example", cert), secure("*", cert)))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		k := knock{sni: "a.example", sessions: everywhere{tls.NewLRUClientSessionCache(1)}, version: version}
		_, _ = k.answered(t, at)
		if got, err := k.answered(t, at); got != "cert again 302 a.example" {
			t.Errorf("%s, %v", got, err)
		}
	}
}

// TestConnectionsAreBounded closes one more than the limit, on ports of every kind.
func TestConnectionsAreBounded(t *testing.T) {
	cert := issued(t, "cert", "ec")
	pass := secure("pass.example")
	pass.Port, pass.Protocol, pass.TLS = 444, ir.TLS, &ir.ListenerTLS{Mode: ir.Passthrough}
	c := doored(t, ir.Settings{Limits: ir.Limits{Connections: 2}}, []*ir.Certificate{cert}, secure("*", cert), pass)
	served(t, c)
	for _, port := range []uint16{80, 443, 444} {
		// Threads take connections side by side, so that it is not said which is one
		// too many.
		closed := make(chan string, 6)
		const all, most = 6, 2
		for range all {
			// One that is closed at once may be said to be so by the dialling.
			one, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", c.address(port).String())
			if err != nil {
				closed <- ""
				continue
			}
			t.Cleanup(func() { _ = one.Close() })
			go func() { closed <- ends(one) }()
		}
		for range all - most {
			if said := <-closed; said != "" {
				t.Errorf("port %d: one more connection is told %q", port, said)
			}
		}
	}
}

// TestSilentProxies are given up on: whoever must send a header first has only so long.
func TestSilentProxies(t *testing.T) {
	settings := ir.Settings{ProxyProtocol: ir.ProxyProtocol{Trusted: []string{"127.0.0.0/8", "nonsense"}, HeaderTimeout: ir.Duration(100 * time.Millisecond)}}
	c := doored(t, settings, nil)
	served(t, c)
	if said := ends(dialed(t, c, 80)); said != "" {
		t.Errorf("a connection without a header is told %q", said)
	}
}

func dialed(t *testing.T, c *Config, port uint16) net.Conn {
	t.Helper()
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", c.address(port).String())
	if errors.Is(err, syscall.ECONNRESET) {
		// It was ended before it was told to have begun.
		ended, other := net.Pipe()
		_ = other.Close()
		return ended
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}

// ends returns what a connection says before the other side ends it.
func ends(connection net.Conn) string {
	_ = connection.SetReadDeadline(time.Now().Add(8 * time.Second))
	said, err := io.ReadAll(connection)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "nothing, and is left open"
	}
	return string(said)
}
