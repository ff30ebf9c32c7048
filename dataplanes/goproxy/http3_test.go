package goproxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/quic-go/quic-go"

	"github.com/sluice-gateway/sluice/ir"
)

// reflect3 answers with what it was asked.
func reflect3(t testing.TB) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.Header().Set("Alt-Svc", `h3=":1"`)
		w.Header().Set("Trailer", "X-Sum")
		for _, name := range []string{"Cookie", "X-Forwarded-Proto", "X-Forwarded-Port", "Te", "Expect", "Content-Length", "Transfer-Encoding"} {
			w.Header().Set("X-Got-"+name, strings.Join(r.Header[name], "|"))
		}
		w.Header().Set("X-Got-Length", fmt.Sprint(r.ContentLength))
		w.Header().Set("X-Got-Uri", r.RequestURI)
		w.Header().Set("X-Got-Trailer", r.Trailer.Get("X-Client"))
		fmt.Fprintf(w, "%s %d", r.Method, len(body))
		w.Header().Set("X-Sum", "done")
	})
}

func (r *tlsRig) reflecting(name, hostname string) *ir.Listener {
	l := r.https(name, hostname, r.ca.issue(name, hostname))
	route := r.unit.Proxy.Routes[len(r.unit.Proxy.Routes)-1]
	route.Rules[0].Backends = to(r.backend(name+"-reflect", ir.BackendHTTP1, reflect3(r.t)))
	return l
}

func TestHTTP3(t *testing.T) {
	r := newH3Rig(t)
	r.reflecting("a", "a.example")
	r.must()
	client := r.client3("a.example")
	got := get(t, client, "https://a.example/x/../y?q=1")
	if got.status != 200 || got.proto != 3 || got.body != "GET 0" || got.header.Get("X-Got-Uri") != "/y?q=1" {
		t.Errorf("GET: %+v", got)
	}
	if got.header.Get("X-Got-Length") != "0" || got.header.Get("X-Got-Transfer-Encoding") != "" {
		t.Errorf("a GET without a body came with one: %v", got.header)
	}
	if got.header.Get("X-Got-X-Forwarded-Proto") != "https" || got.header.Get("X-Got-X-Forwarded-Port") != fmt.Sprint(r.port) {
		t.Errorf("forwarded as %v", got.header)
	}
	if _, told := got.header["Alt-Svc"]; told {
		t.Error("the backend's Alt-Svc came through")
	}
	if got.trailer.Get("X-Sum") != "done" {
		t.Errorf("trailer %v", got.trailer)
	}
	wait.For(t, "the log's line", func() bool { return strings.Contains(r.log.String(), `"HTTP/3"`) })
}

func TestHTTP3Bodies(t *testing.T) {
	r := newH3Rig(t)
	r.reflecting("a", "a.example")
	r.must()
	client := r.client3("a.example")
	big := bytes.Repeat([]byte("x"), 1<<20)
	for _, length := range []int64{int64(len(big)), -1} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://a.example/", struct{ io.Reader }{bytes.NewReader(big)})
		req.ContentLength = length
		req.Trailer = http.Header{"X-Client": {"yes"}}
		if got := do(t, client, req); got.body != "POST 1048576" || got.header.Get("X-Got-Length") != fmt.Sprint(length) && length >= 0 {
			t.Errorf("length %d: %d %q %v", length, got.status, got.body, got.header)
		} else if length < 0 && got.header.Get("X-Got-Trailer") != "yes" {
			t.Errorf("trailer %q", got.header.Get("X-Got-Trailer"))
		}
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodHead, "https://a.example/", nil)
	if got := do(t, client, req); got.status != 200 || got.body != "" {
		t.Errorf("HEAD: %+v", got)
	}
}

func TestHTTP3IsAnnounced(t *testing.T) {
	r := newH3Rig(t)
	r.reflecting("a", "a.example")
	plainAddr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("plain", ir.BackendHTTP1, named(t, "plain")))})
	r.must()
	want := fmt.Sprintf(`h3=":%d"; ma=3600`, r.port)
	for _, path := range []string{"/", "/%zz"} {
		if got := get(t, r.client("a.example"), "https://a.example"+strings.ReplaceAll(path, "%zz", "nobody%2Fhere")); len(got.header["Alt-Svc"]) != 1 || got.header.Get("Alt-Svc") != want {
			t.Errorf("HTTP/%d, %d: Alt-Svc %q, want %q", got.proto, got.status, got.header["Alt-Svc"], want)
		}
	}
	one := r.client("a.example")
	one.Transport.(*http.Transport).ForceAttemptHTTP2 = false
	if got := get(t, one, "https://a.example/"); got.proto != 1 || got.header.Get("Alt-Svc") != want {
		t.Errorf("HTTP/%d: Alt-Svc %q, want %q", got.proto, got.header.Get("Alt-Svc"), want)
	}
	if got := get(t, plain(t), "http://"+plainAddr+"/"); got.header.Get("Alt-Svc") != "" {
		t.Errorf("plain HTTP announces %q", got.header.Get("Alt-Svc"))
	}
	misdirected, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://b.example/", nil)
	r.https("b", "b.example", r.ca.issue("b", "b.example"))
	r.must()
	if got := do(t, r.client("a.example"), misdirected); got.status != 421 || got.header.Get("Alt-Svc") != "" {
		t.Errorf("%d with Alt-Svc %q, want 421 without", got.status, got.header.Get("Alt-Svc"))
	}
}

// udpFree reports whether nobody has a UDP port.
func udpFree(port uint16) bool {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(port)})
	if err != nil {
		return false
	}
	c.Close()
	return true
}

func TestHTTP3IsOffUnlessAsked(t *testing.T) {
	r := newTLSRig(t)
	r.reflecting("a", "a.example")
	r.must()
	if got := get(t, r.client("a.example"), "https://a.example/"); got.header.Get("Alt-Svc") != `h3=":1"` {
		t.Errorf("Alt-Svc %q, want the backend's own", got.header.Get("Alt-Svc"))
	}
	if !udpFree(r.port) {
		t.Error("the UDP port is taken")
	}
}

// TestHTTP3ComesAndGoes turns HTTP/3 on and off, and takes the listener away.
func TestHTTP3ComesAndGoes(t *testing.T) {
	r := newH3Rig(t)
	r.reflecting("a", "a.example")
	for range 3 {
		r.unit.Proxy.Settings.HTTP3.Enabled = true
		r.must()
		if got := get(t, r.client3("a.example"), "https://a.example/"); got.status != 200 {
			t.Fatalf("on: %d", got.status)
		}
		r.unit.Proxy.Settings.HTTP3.Enabled = false
		r.must()
		if got := get(t, r.client("a.example"), "https://a.example/"); got.header.Get("Alt-Svc") != `h3=":1"` {
			t.Errorf("off: Alt-Svc %q", got.header.Get("Alt-Svc"))
		}
		if _, err := r.dialQUICWithin("a.example", 100*time.Millisecond); err == nil {
			t.Error("off: a connection was let in")
		}
	}
	wait.For(t, "the UDP port to be free", func() bool { return udpFree(r.port) })
	r.unit.Proxy.Settings.HTTP3.Enabled = true
	r.must()
	listeners := r.unit.Proxy.Listeners
	r.unit.Proxy.Listeners = nil
	r.must()
	wait.For(t, "the UDP port to be free", func() bool { return udpFree(r.port) })
	r.unit.Proxy.Listeners = listeners
	r.must()
	if got := get(t, r.client3("a.example"), "https://a.example/"); got.status != 200 {
		t.Errorf("back again: %d", got.status)
	}
}

// TestHTTP3YieldsToUDP has a listener of UDP take the port over and give it back.
func TestHTTP3YieldsToUDP(t *testing.T) {
	r := newH3Rig(t)
	r.reflecting("a", "a.example")
	r.must()
	client := r.client3("a.example")
	get(t, client, "https://a.example/")
	https := len(r.unit.Proxy.Listeners)
	r.unit.Proxy.Listeners = append(r.unit.Proxy.Listeners, &ir.Listener{Key: listenerKey("udp"), Port: r.port, Protocol: ir.UDP, Hostname: "*"})
	r.route("udp", &ir.Rule{Backends: to(r.backend("dns", "", datagramBackend(t, "dns")))}).Kind = ir.UDPRoute
	r.must()
	if name, _ := answered(t, datagramClient(t, r.addr()), "hello"); name != "dns" {
		t.Errorf("%q answered", name)
	}
	if got := get(t, r.client("a.example"), "https://a.example/"); got.header.Get("Alt-Svc") != `h3=":1"` {
		t.Errorf("Alt-Svc %q where a listener of UDP has the port", got.header.Get("Alt-Svc"))
	}
	r.unit.Proxy.Listeners = r.unit.Proxy.Listeners[:https]
	r.unit.Proxy.Routes = r.unit.Proxy.Routes[:1]
	r.must()
	if got := get(t, r.client3("a.example"), "https://a.example/"); got.status != 200 {
		t.Errorf("given back: %d", got.status)
	}
}

func TestHTTP3SaysThatItsPortIsTaken(t *testing.T) {
	r := newH3Rig(t)
	r.reflecting("a", "a.example")
	other, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(r.port)})
	if err != nil {
		t.Fatal(err)
	}
	o := r.apply()
	if len(o.Problems) != 1 || !strings.Contains(o.Problems[0].Message, "HTTP/3 is not served at port") {
		t.Errorf("problems: %v", o.Problems)
	}
	if got := get(t, r.client("a.example"), "https://a.example/"); got.status != 200 || got.header.Get("Alt-Svc") != `h3=":1"` {
		t.Errorf("over TCP: %d, Alt-Svc %q", got.status, got.header.Get("Alt-Svc"))
	}
	other.Close()
	for o = range r.local.Outcomes() {
		if len(o.Problems) == 0 {
			break
		}
	}
	if got := get(t, r.client3("a.example"), "https://a.example/"); got.status != 200 {
		t.Errorf("once it is free: %d", got.status)
	}
}

func TestHTTP3ChoosesTheListenerBySNI(t *testing.T) {
	r := newH3Rig(t)
	r.https("exact", "a.example", r.ca.issue("exact", "a.example"))
	r.https("wild", "*.example", r.ca.issue("wild", "*.example"))
	refused := r.https("refused", "refused.example", r.ca.issue("refused", "refused.example"))
	refused.Refused, refused.TLS = "for the test", nil
	r.unit.Proxy.Routes = r.unit.Proxy.Routes[:2]
	passed := &ir.Listener{
		Key: listenerKey("passed"), Port: r.port, Protocol: ir.TLS, Hostname: "passed.example", TLS: &ir.ListenerTLS{Mode: ir.Passthrough},
	}
	r.unit.Proxy.Listeners = append(r.unit.Proxy.Listeners, passed)
	r.must()
	for sni, want := range map[string]string{"a.example": "exact", "A.EXAMPLE": "exact", "b.example": "wild"} {
		c, err := r.dialQUIC(sni)
		if err != nil {
			t.Errorf("SNI %q: %v", sni, err)
			continue
		}
		if got := c.ConnectionState().TLS.PeerCertificates[0].Subject.CommonName; got != want {
			t.Errorf("SNI %q: certificate %q, want %q", sni, got, want)
		}
	}
	const unrecognizedName = 0x100 + 112
	for _, sni := range []string{"", "a.other", "refused.example", "passed.example"} {
		_, err := r.dialQUIC(sni)
		if refusal, ok := errorAs[*quic.TransportError](err); !ok || refusal.ErrorCode != unrecognizedName {
			t.Errorf("SNI %q: %v, want the alert unrecognized_name", sni, err)
		}
	}
	client := r.client3("a.example")
	if got := get(t, client, "https://a.example/"); got.body != "exact" {
		t.Errorf("its own host: %d %q", got.status, got.body)
	}
	if got := get(t, client, "https://b.example/"); got.status != 421 {
		t.Errorf("another listener's host: %d, want 421", got.status)
	}
}

func TestHTTP3TakesNewCertificates(t *testing.T) {
	r := newH3Rig(t)
	r.https("a", "a.example", r.ca.issue("first", "a.example"))
	r.must()
	old := r.client3("a.example")
	get(t, old, "https://a.example/")
	l := *r.unit.Proxy.Listeners[0]
	next := r.ca.issue("second", "a.example")
	l.TLS = &ir.ListenerTLS{Mode: ir.Terminate, Certificates: []ir.CertificateKey{next.Key}}
	r.certificate(next)
	r.replace(&l)
	r.must()
	if got := get(t, old, "https://a.example/"); got.status != 200 {
		t.Errorf("on the old connection: %d", got.status)
	}
	c, err := r.dialQUIC("a.example")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.ConnectionState().TLS.PeerCertificates[0].Subject.CommonName; got != "second" {
		t.Errorf("certificate %q, want second", got)
	}
}
