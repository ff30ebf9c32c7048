package haproxy

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// overH2 is a client of HTTP/2 without TLS.
func overH2() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Timeout: answersWithin, Transport: &http.Transport{Protocols: protocols}}
}

// TestErrorsAreWrittenAsOthersDo asks for what HAProxy answers itself.
func TestErrorsAreWrittenAsOthersDo(t *testing.T) {
	down := service{"down", []http.HandlerFunc{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }}}
	key, empty := keyOf("down"), keyOf("empty")
	at := served(t, ruled(t, map[string]*ir.Rule{
		"/down":    {Backends: []ir.BackendUse{{Backend: &key, Weight: 1}}},
		"/empty":   {Backends: []ir.BackendUse{{Backend: &empty, Weight: 1}}},
		"/refused": {Refused: "no"},
	}, down, service{"empty", nil}))
	for path, want := range map[string]struct {
		status int
		call   string
		text   string
	}{
		"/none":    {404, "12", "Not Found\n"},
		"/refused": {500, "2", "Internal Server Error\n"},
		"/a%2fb":   {400, "13", "Bad Request\n"},
		"/empty":   {503, "14", "Service Unavailable"},
		"/down":    {502, "14", "Bad Gateway"},
	} {
		t.Run(path, func(t *testing.T) {
			plain := asked(t, http.DefaultClient, at, path, "")
			defer plain.Body.Close()
			body, _ := io.ReadAll(plain.Body)
			got := fmt.Sprint(plain.StatusCode, plain.Header.Get("Content-Type"), plain.Header.Get("X-Content-Type-Options"), string(body))
			if want := fmt.Sprint(want.status, "text/plain; charset=utf-8", "nosniff", want.text); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			call := asked(t, overH2(), at, path, "application/grpc+proto")
			defer call.Body.Close()
			body, _ = io.ReadAll(call.Body)
			got = fmt.Sprint(call.StatusCode, " ", call.Header.Get("Content-Type"), call.Header.Get("Grpc-Status"), call.Header.Get("Grpc-Message"), call.Header.Get("X-Content-Type-Options"), string(body))
			if want := fmt.Sprint(200, " ", "application/grpc", want.call, strings.TrimSpace(want.text)); got != want {
				t.Errorf("a call gets %q, want %q", got, want)
			}
		})
	}
}

// asked posts to a path without a body.
func asked(t *testing.T, client *http.Client, at, path, contentType string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+at+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestBodiesAreBounded sends bodies that say their length, and that do not, of which
// the last does not even end.
func TestBodiesAreBounded(t *testing.T) {
	sink := service{"sink", []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}}}
	key := keyOf("sink")
	c := ruled(t, map[string]*ir.Rule{"/": {Backends: []ir.BackendUse{{Backend: &key, Weight: 1}}}}, sink)
	c.unit.Proxy.Settings.Limits.RequestBodyBytes = 300_000
	at := served(t, Translate(c.unit, c.target, nil))
	endless, writer := io.Pipe()
	go func() {
		piece := make([]byte, 1000)
		for {
			if _, err := writer.Write(piece); err != nil {
				return
			}
		}
	}()
	for name, one := range map[string]struct {
		body   io.Reader
		status int
	}{
		"one that fits":                        {strings.NewReader(strings.Repeat("x", 300_000)), 200},
		"one that fits, without a length":      {io.MultiReader(strings.NewReader(strings.Repeat("x", 300_000))), 200},
		"one that is too long":                 {strings.NewReader(strings.Repeat("x", 300_001)), 413},
		"one that is too long, without length": {io.MultiReader(strings.NewReader(strings.Repeat("x", 300_002))), 413},
		"one without an end":                   {endless, 413},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+at+"/", one.body)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := overH2().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, _ := io.ReadAll(answer.Body)
			if answer.StatusCode != one.status || one.status == 413 && strings.TrimSpace(string(body)) != "Request Entity Too Large" {
				t.Errorf("answered %d %q, want %d", answer.StatusCode, body, one.status)
			}
		})
	}
}

// TestStalls has clients wait with a body, and a backend with an answer.
func TestStalls(t *testing.T) {
	const stall = 200 * time.Millisecond
	slow := service{"slow", []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		<-time.After(3 * stall)
		_, _ = io.WriteString(w, "late")
	}}}
	key := keyOf("slow")
	c := ruled(t, map[string]*ir.Rule{"/": {Backends: []ir.BackendUse{{Backend: &key, Weight: 1}}}}, slow)
	c.unit.Proxy.Settings.Timeouts.Stall = ir.Duration(stall)
	at := served(t, Translate(c.unit, c.target, nil))
	for octets, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n":                                             "200 late",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc":                    "200 late",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabc":                    "408 Request Timeout",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n":  "408 Request Timeout",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n": "400",
	} {
		answer := admitting{netip.MustParseAddrPort(at)}.whole(t, octets)
		if !strings.HasPrefix(answer, want) {
			t.Errorf("%q is answered %q, want %q", octets, answer, want)
		}
	}
}

// TestLeaving has clients of HTTP/1.1 asked to go, and new ones let in.
func TestLeaving(t *testing.T) {
	dir := t.TempDir()
	at := servedIn(t, dir, ruled(t, map[string]*ir.Rule{"/": {Backends: []ir.BackendUse{{}}}}))
	if answer := asked(t, http.DefaultClient, at, "/", ""); answer.Close {
		t.Error("clients are asked to go from the beginning")
	}
	if said := told(t, filepath.Join(dir, AdminSocket), Leave); strings.TrimSpace(said) != "" {
		t.Fatalf("%q is answered %q", Leave, said)
	}
	for range 3 {
		answer := asked(t, http.DefaultClient, at, "/", "")
		_ = answer.Body.Close()
		if answer.StatusCode == 0 || !answer.Close {
			t.Errorf("%d, closing %v; want the end of the connection", answer.StatusCode, answer.Close)
		}
	}
}

// TestAddressesAreNotMapped serves both families by one socket.
func TestAddressesAreNotMapped(t *testing.T) {
	c := ruled(t, map[string]*ir.Rule{"/": {Backends: []ir.BackendUse{{}}}})
	to := c.target
	to.Address, to.PortOffset = netip.IPv6Unspecified(), int(loopback(t).Port())-80
	c = Translate(c.unit, to, nil)
	served(t, c)
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), c.address(80).Port())
	if got := ask(t, http.MethodGet, "http://"+at.String()+"/").Header.Get("Got-X-Forwarded-For"); got != "127.0.0.1" {
		t.Errorf("the backend is told of %q, want 127.0.0.1", got)
	}
}
