package haproxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// calling is an endpoint that says which one it is.
func calling(t *testing.T, name string) (ir.Endpoint, *httptest.Server) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }))
	t.Cleanup(s.Close)
	return endpointAt(s.Listener.Addr()), s
}

func endpointAt(addr net.Addr) ir.Endpoint {
	at := netip.MustParseAddrPort(addr.String())
	return ir.Endpoint{Address: at.Addr().String(), Port: at.Port()}
}

// refusing is an endpoint where nobody listens.
func refusing(t *testing.T) ir.Endpoint {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return endpointAt(l.Addr())
}

// running is a HAProxy for one backend.
type running struct {
	*Config

	dir, url string
}

func reached(t *testing.T, b ir.Backend, endpoints ...ir.Endpoint) running {
	t.Helper()
	c := Translate(one(b, endpoints...), somewhere(), nil)
	dir := t.TempDir()
	return running{c, dir, "http://" + servedIn(t, dir, c)}
}

// heard is the status and the text of an answer.
func heard(t *testing.T, url string, fields ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func TestKeysStayWithTheirEndpointsWhoeverElseComesOrGoes(t *testing.T) {
	a, _ := calling(t, "a")
	b, _ := calling(t, "b")
	c, _ := calling(t, "c")
	by := ir.Backend{Balancing: ir.Balancing{Algorithm: ir.ConsistentHash, Hash: ir.HashKey{Kind: ir.HashHeader, Name: "x-user"}}}
	all, others := reached(t, by, a, b, c), reached(t, by, c, b)
	moved := 0
	for i := range 60 {
		user := fmt.Sprintf("X-User: user-%d", i)
		_, is := heard(t, all.url, user)
		_, was := heard(t, others.url, user)
		if is == "a" {
			moved++
		} else if is != was {
			t.Errorf("%s: %s without a, and %s with it", user, was, is)
		}
	}
	if moved < 8 || moved > 35 {
		t.Errorf("a has %d of 60 keys, want about 20", moved)
	}
}

func TestAnEndpointThatCannotBeConnectedToIsLeftOutAndTakenBack(t *testing.T) {
	good, _ := calling(t, "good")
	bad := refusing(t)
	ejection := &ir.Ejection{Failures: 2, BaseTime: ir.Duration(50 * time.Millisecond), MaxTime: ir.Duration(time.Minute), MaxPercent: 50}
	h := reached(t, ir.Backend{Ejection: ejection}, good, bad)
	for range 20 {
		if status, text := heard(t, h.url); status != http.StatusOK || text != "good" {
			t.Fatalf("answer: %d %q", status, text)
		}
	}
	waitFor(t, "left out", func() bool { return strings.Contains(h.stat(t, at(bad)), "DOWN") })
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", fmt.Sprintf("%s:%d", bad.Address, bad.Port))
	if err != nil {
		t.Skip("somebody else has the port")
	}
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "back") })}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	waitFor(t, "taken back", func() bool { _, text := heard(t, h.url); return text == "back" })
}

func TestWhereAllAreLeftOutSomebodyIsAskedAgain(t *testing.T) {
	bad := refusing(t)
	ejection := &ir.Ejection{Failures: 1, BaseTime: ir.Duration(time.Hour), MaxTime: ir.Duration(time.Hour), MaxPercent: 100}
	h := reached(t, ir.Backend{Ejection: ejection}, bad)
	if status, _ := heard(t, h.url); status != http.StatusServiceUnavailable {
		t.Fatalf("status: %d", status)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", fmt.Sprintf("%s:%d", bad.Address, bad.Port))
	if err != nil {
		t.Skip("somebody else has the port")
	}
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(echo)}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	waitFor(t, "asked again", func() bool { status, _ := heard(t, h.url); return status == http.StatusOK })
}

func TestMoreThanItsShareIsNeverLeftOut(t *testing.T) {
	good, _ := calling(t, "good")
	ejection := &ir.Ejection{Failures: 1, BaseTime: ir.Duration(time.Hour), MaxTime: ir.Duration(time.Hour), MaxPercent: 25}
	h := reached(t, ir.Backend{Ejection: ejection}, good, refusing(t), refusing(t), refusing(t))
	for range 12 {
		if status, text := heard(t, h.url); status != http.StatusOK || text != "good" {
			t.Fatalf("answer: %d %q", status, text)
		}
	}
	waitFor(t, "one is left out", func() bool { return strings.Count(h.admin(t, "show stat"), ",DOWN,") == 1 })
}

func TestTheNextTierServesWhereANearerOneIsGone(t *testing.T) {
	draining, _ := calling(t, "draining")
	draining.Draining = true
	ejection := &ir.Ejection{Failures: 3, BaseTime: ir.Duration(time.Hour), MaxTime: ir.Duration(time.Hour), MaxPercent: 50}
	h := reached(t, ir.Backend{Ejection: ejection}, refusing(t), refusing(t), draining)
	waitFor(t, "the nearer ones are left out", func() bool { status, _ := heard(t, h.url); return status == http.StatusOK })
	for range 10 {
		if status, text := heard(t, h.url); status != http.StatusOK || text != "draining" {
			t.Fatalf("answer: %d %q", status, text)
		}
	}
}

func TestARunningHAProxyTakesServersOfAllBackends(t *testing.T) {
	ca := issued(t, "authority", "ecdsa").Chain
	for name, b := range map[string]ir.Backend{
		"plain":   {},
		"h2c":     {Key: ir.BackendKey{Protocol: ir.BackendH2C}},
		"h2":      {Key: ir.BackendKey{Protocol: ir.BackendH2}, TLS: &ir.BackendTLS{Hostname: "a.internal", CAs: ca}},
		"system":  {TLS: &ir.BackendTLS{Hostname: "a.internal", SystemCAs: true}},
		"agent":   {TLS: &ir.BackendTLS{Hostname: "a.internal", CAs: ca, SANs: []ir.SAN{{URI: "spiffe://a"}}}},
		"least":   {Balancing: ir.Balancing{Algorithm: ir.LeastRequest}},
		"hash":    {Balancing: ir.Balancing{Algorithm: ir.ConsistentHash, Hash: ir.HashKey{Kind: ir.HashHeader, Name: "x-user"}}},
		"ejected": {Ejection: &ir.Ejection{Failures: 3, BaseTime: ir.Duration(10 * time.Second), MaxTime: ir.Duration(time.Minute), MaxPercent: 50}},
	} {
		t.Run(name, func(t *testing.T) {
			good, _ := calling(t, "good")
			draining := refusing(t)
			draining.Draining = true
			h := reached(t, b)
			s := backend(t, h.Config)
			full := backend(t, Translate(one(b, good, draining), here(), nil))
			for _, server := range full.Pool.Servers {
				key := s.Name + "/" + server.Name
				if said := h.admin(t, "add server "+key+" "+full.Pool.Options(server)); !strings.Contains(said, "New server registered") {
					t.Fatalf("%s\n%s", full.Pool.Options(server), said)
				}
				if said := strings.TrimSpace(h.admin(t, "enable server "+key)); said != "" {
					t.Fatal(said)
				}
			}
			if status, text := heard(t, h.url); b.TLS == nil && b.Key.Protocol == "" && (status != http.StatusOK || text != "good") {
				t.Errorf("answer: %d %q", status, text)
			}
			for _, server := range full.Pool.Servers {
				key := s.Name + "/" + server.Name
				h.admin(t, "set server "+key+" state maint")
				waitFor(t, "deleted", func() bool { return strings.Contains(h.admin(t, "del server "+key), "Server deleted") })
			}
			if status, _ := heard(t, h.url); status != http.StatusServiceUnavailable {
				t.Errorf("status without endpoints: %d", status)
			}
		})
	}
}

// at is the name of an endpoint's server.
func at(e ir.Endpoint) string {
	return serverName(netip.AddrPortFrom(netip.MustParseAddr(e.Address), e.Port))
}

func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	for range 2000 {
		if done() {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatalf("not %s", what)
}

func (h running) stat(t *testing.T, name string) string {
	t.Helper()
	for line := range strings.Lines(h.admin(t, "show stat")) {
		if strings.Contains(line, ","+name+",") {
			return line
		}
	}
	return ""
}

// admin gives a command to a running HAProxy, and returns what it says.
func (h running) admin(t *testing.T, command string) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", filepath.Join(h.dir, AdminSocket))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintln(conn, command)
	text, _ := io.ReadAll(bufio.NewReader(conn))
	return string(text)
}
