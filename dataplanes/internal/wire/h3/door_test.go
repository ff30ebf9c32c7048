package h3

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/field"
	"github.com/sluice-gateway/sluice/ir"
)

// asked is a request as quic-go hands it over.
func asked(method, target, authority string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Method, r.RequestURI, r.Host, r.Proto, r.ProtoMajor = method, target, authority, "HTTP/3.0", 3
	r.Header, r.ContentLength = http.Header{}, -1
	return r
}

func enter(r *http.Request, limits ir.Limits) *exchange.Incoming {
	d := &door{
		config: &Config{Limits: limits}, about: &exchange.Conn{TLS: true}, request: r,
		stall: &stall{control: http.NewResponseController(httptest.NewRecorder())},
	}
	return d.read()
}

// FuzzDoor sends requests through the door and looks at what is let in.
func FuzzDoor(f *testing.F) {
	for _, seed := range [][5]string{
		{"GET", "/", "a", "X-A", "1"},
		{"GET", "/a/../b?x=1?y", "A.b.:80", "X_Forwarded_For", "1"},
		{"POST", "/%2e%2e/x", "a@b", "Te", "trailers"},
		{"OPTIONS", "*", "[::1]:8", "X.Forwarded.For", "2"},
		{"CONNECT", "a:1", "a:1", "Expect", "100-continue"},
		{"GET", "//h//x", "\u212aey", "Content-Type", "application/grpc"},
		{"TRACE", "/a%2fb", "a:99999", "Trailer", "X"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], false)
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], true)
	}
	f.Fuzz(func(t *testing.T, method, target, authority, name, value string, socket bool) {
		r := asked(method, target, authority)
		r.Header.Add(name, value)
		if socket {
			r.Method, r.Proto = http.MethodConnect, "websocket"
		}
		if in := enter(r, ir.Limits{RequestHeaderBytes: 4096, RequestBodyBytes: 100}); in.Refused == 0 {
			checkAdmitted(t, in.Request)
		}
	})
}

func checkAdmitted(t *testing.T, r *exchange.Request) {
	t.Helper()
	if !strings.HasPrefix(r.Path, "/") && (r.Path != "*" || r.Method != http.MethodOptions) {
		t.Errorf("path %q", r.Path)
	}
	if r.Host == "" || r.Host != strings.ToLower(r.Host) || strings.ContainsAny(r.Host, "/?#@\\ \t\r\n\x00") {
		t.Errorf("host %q", r.Host)
	}
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		t.Errorf("method %q", r.Method)
	}
	for _, f := range r.Header {
		isTE := f.Name == "Te" && f.Value == "trailers"
		if drop, broken := disguised(f.Name); field.KindOf(f.Name) != field.Plain && !isTE || drop || broken {
			t.Errorf("%s: %s passed the door", f.Name, f.Value)
		}
	}
}

func TestDoorCountsFields(t *testing.T) {
	for fields, want := range map[int]int{mostFields: 0, mostFields + 1: http.StatusRequestHeaderFieldsTooLarge} {
		r := asked(http.MethodGet, "/", "a.example")
		for range fields {
			r.Header.Add("X-Same", "1")
		}
		if in := enter(r, ir.Limits{}); in.Refused != want {
			t.Errorf("%d fields: refused with %d, want %d", fields, in.Refused, want)
		}
	}
}

func TestDoorMakesTheRequestOfAWebSocket(t *testing.T) {
	r := asked(http.MethodConnect, "/chat?x", "a.example")
	r.Proto = "websocket"
	r.Header.Set("Sec-Websocket-Key", "the client's own")
	in := enter(r, ir.Limits{})
	q := in.Request
	key, _ := q.Header.Joined("Sec-WebSocket-Key")
	if in.Refused != 0 || q.Method != http.MethodGet || q.Upgrade != "websocket" || q.Length != 0 || len(key) != 24 {
		t.Errorf("got %+v, key %q", q, key)
	}
}

// TestAccepts is the example of RFC 6455, section 1.3.
func TestAccepts(t *testing.T) {
	if got := accepts("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("got %q", got)
	}
}
