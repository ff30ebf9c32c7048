package goproxy_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/sluice-gateway/sluice/ir"
)

// What streams are reset with (RFC 9114, section 8.1; RFC 9204, section 6).
const (
	excessiveLoad    = 0x107
	messageError     = 0x10e
	decompressFailed = 0x200
)

// with is a request's field section: a good one, and what is to be wrong.
func with(fields ...string) []string {
	return append([]string{":method", "GET", ":scheme", "https", ":authority", "a.example", ":path", "/"}, fields...)
}

// replaced is a good request's with another value of a pseudo-header.
func replaced(name, value string) []string {
	fields := with()
	for i := 0; i < len(fields); i += 2 {
		if fields[i] == name {
			fields[i+1] = value
		}
	}
	return fields
}

func without(name string) []string {
	var fields []string
	for all := with(); len(all) > 0; all = all[2:] {
		if all[0] != name {
			fields = append(fields, all[:2]...)
		}
	}
	return fields
}

// TestHTTP3Door sends requests that no client library would. Each gets a status,
// or its stream reset; none may reach the backend as it is, and the connection
// stays.
func TestHTTP3Door(t *testing.T) {
	r := newH3Rig(t)
	r.unit.Proxy.Settings.Limits = ir.Limits{RequestHeaderBytes: 8 << 10, RequestBodyBytes: 100, ConcurrentStreams: 100}
	r.reflecting("a", "a.example")
	r.must()
	many := with()
	for i := range 101 {
		many = append(many, fmt.Sprintf("x-%d", i), "1")
	}
	for _, c := range []struct {
		name   string
		fields []string
		body   string
		status int
		reset  uint64
	}{
		{name: "good", fields: with(), status: 200},
		{name: "upper case name", fields: with("X-Upper", "1"), reset: messageError},
		{name: "connection", fields: with("connection", "x-a"), reset: messageError},
		{name: "transfer-encoding", fields: with("transfer-encoding", "chunked"), reset: messageError},
		{name: "upgrade", fields: with("upgrade", "websocket"), reset: messageError},
		{name: "keep-alive", fields: with("keep-alive", "1"), reset: messageError},
		{name: "te: gzip", fields: with("te", "gzip"), reset: messageError},
		{name: "te: trailers", fields: with("te", "trailers"), status: 200},
		{name: "line feed in a value", fields: with("x-a", "1\nx-b: 2"), reset: messageError},
		{name: "nul in a value", fields: with("x-a", "\x00"), reset: messageError},
		{name: "space in a name", fields: with("x a", "1"), reset: messageError},
		{name: "colon in a name", fields: with("x:a", "1"), reset: messageError},
		{name: "empty name", fields: with("", "1"), reset: messageError},
		{name: "pseudo-header after a field", fields: append(with("x-a", "1"), ":path", "/b"), reset: messageError},
		{name: "pseudo-header twice", fields: with(":path", "/b"), reset: messageError},
		{name: "unknown pseudo-header", fields: with(":user", "me"), reset: messageError},
		{name: "status in a request", fields: with(":status", "200"), reset: messageError},
		{name: "no path", fields: without(":path"), reset: messageError},
		{name: "no method", fields: without(":method"), reset: messageError},
		{name: "no authority", fields: without(":authority"), reset: messageError},
		{name: "host for authority", fields: append(without(":authority"), "host", "a.example"), status: 200},
		{name: "host against authority", fields: with("host", "b.example"), reset: messageError},
		{name: "userinfo", fields: replaced(":authority", "me@a.example"), reset: messageError},
		{name: "path in the authority", fields: replaced(":authority", "a.example/x"), status: 400},
		{name: "absolute path", fields: replaced(":path", "https://a.example/"), reset: messageError},
		{name: "space in the path", fields: replaced(":path", "/a b"), status: 400},
		{name: "space in the query", fields: replaced(":path", "/?a b"), status: 400},
		{name: "fragment", fields: replaced(":path", "/?a#b"), status: 400},
		{name: "encoded slash", fields: replaced(":path", "/a%2fb"), status: 400},
		{name: "dots above the root", fields: replaced(":path", "/../.."), status: 200},
		{name: "method with a space", fields: replaced(":method", "GE T"), reset: messageError},
		{name: "connect", fields: []string{":method", "CONNECT", ":authority", "a.example:443"}, status: 405},
		{name: "connect for another protocol", fields: append(replaced(":method", "CONNECT"), ":protocol", "connect-udp"), status: 501},
		{name: "protocol without connect", fields: with(":protocol", "websocket"), reset: messageError},
		{name: "trace", fields: replaced(":method", "TRACE"), status: 405},
		{name: "star", fields: replaced(":path", "*"), reset: messageError},
		{name: "options star", fields: []string{":method", "OPTIONS", ":scheme", "https", ":authority", "a.example", ":path", "*"}, status: 200},
		{name: "length against a body", fields: append(replaced(":method", "POST"), "content-length", "3"), body: "12345", reset: messageError},
		{name: "length beyond a body", fields: append(replaced(":method", "POST"), "content-length", "9"), body: "12345", status: 400},
		{name: "two lengths", fields: with("content-length", "1", "content-length", "2"), reset: messageError},
		{name: "list of lengths", fields: with("content-length", "5, 5"), reset: messageError},
		{name: "signed length", fields: with("content-length", "+5"), reset: messageError},
		{name: "length over the limit", fields: append(replaced(":method", "POST"), "content-length", "101"), status: 413},
		{name: "body over the limit", fields: replaced(":method", "POST"), body: strings.Repeat("x", 101), status: 413},
		{name: "long field", fields: with("x-a", strings.Repeat("x", 9<<10)), status: 431},
		{name: "very long field", fields: with("x-a", strings.Repeat("x", 40<<10)), status: 431},
		{name: "content_length", fields: with("content_length", "5"), status: 400},
		{name: "host spelt otherwise", fields: with("x-a", "1", "transfer.encoding", "chunked"), status: 400},
		{name: "long name", fields: with(strings.Repeat("x", 257), "1"), status: 431},
		{name: "too many fields", fields: many, status: 431},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := r.dialQUIC("a.example")
			if err != nil {
				t.Fatal(err)
			}
			request := frame(1, fieldSection(t, c.fields...))
			if c.body != "" {
				request = append(request, frame(0, []byte(c.body))...)
			}
			got := ask3(t, conn, request)
			if got.status != c.status || got.reset != c.reset {
				t.Errorf("status %d, reset %#x; want %d, %#x", got.status, got.reset, c.status, c.reset)
			}
			if again := ask3(t, conn, frame(1, fieldSection(t, with()...))); again.status != 200 {
				t.Errorf("the next request on the connection: %+v", again)
			}
		})
	}
}

// TestHTTP3Frames breaks what HTTP/3 is made of.
func TestHTTP3Frames(t *testing.T) {
	r := newH3Rig(t)
	r.reflecting("a", "a.example")
	r.must()
	header := frame(1, fieldSection(t, with()...))
	for name, request := range map[string][]byte{
		"data first":             frame(0, []byte("x")),
		"settings on a request":  frame(4, nil),
		"goaway on a request":    frame(7, []byte{0}),
		"broken field section":   frame(1, []byte{0xff, 0xff, 0xff, 0xff}),
		"settings after headers": append(bytes.Clone(header), frame(4, nil)...),
		"half a frame":           header[:len(header)-3],
		"nothing":                nil,
	} {
		t.Run(name, func(t *testing.T) {
			c, err := r.dialQUIC("a.example")
			if err != nil {
				t.Fatal(err)
			}
			s, err := c.OpenStreamSync(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_ = s.SetDeadline(time.Now().Add(patience))
			_, _ = s.Write(request)
			s.Close()
			var page [1 << 10]byte
			for err == nil {
				_, err = s.Read(page[:])
			}
			_, streamEnded := errorAs[*quic.StreamError](err)
			_, connEnded := errorAs[*quic.ApplicationError](err)
			if name != "settings after headers" && !streamEnded && !connEnded {
				t.Errorf("got %v, want the stream or the connection ended", err)
			}
		})
	}
	if got := get(t, r.client3("a.example"), "https://a.example/"); got.status != 200 {
		t.Errorf("afterwards: %d", got.status)
	}
}

// TestHTTP3Fields has the pieces that clients send cookies in joined again, and
// what is said to the proxy alone kept back.
func TestHTTP3Fields(t *testing.T) {
	r := newH3Rig(t)
	r.reflecting("a", "a.example")
	r.must()
	c, err := r.dialQUIC("a.example")
	if err != nil {
		t.Fatal(err)
	}
	fields := append(replaced(":method", "POST"), "cookie", "a=1", "cookie", "b=2", "te", "trailers", "expect", "100-continue", "x_forwarded_for", "1.2.3.4")
	got := ask3(t, c, append(frame(1, fieldSection(t, fields...)), frame(0, []byte("12345"))...))
	if got.status != 200 || got.body != "POST 5" {
		t.Errorf("%+v", got)
	}
	for name, want := range map[string]string{"x-got-cookie": "a=1; b=2", "x-got-expect": ""} {
		if got.fields[name] != want {
			t.Errorf("%s: %q, want %q", name, got.fields[name], want)
		}
	}
}

// TestHTTP3Trailers keeps trailers out that would be believed as fields.
func TestHTTP3Trailers(t *testing.T) {
	r := newH3Rig(t)
	seen := make(chan http.Header, 1)
	r.https("a", "a.example", r.ca.issue("a", "a.example"))
	r.unit.Proxy.Routes[0].Rules[0].Backends = to(r.backend("trailers", ir.BackendHTTP1, serve(t, func(_ http.ResponseWriter, req *http.Request) {
		var page [100]byte
		for {
			if _, err := req.Body.Read(page[:]); err != nil {
				break
			}
		}
		seen <- req.Trailer
	})))
	r.must()
	c, err := r.dialQUIC("a.example")
	if err != nil {
		t.Fatal(err)
	}
	request := frame(1, fieldSection(t, append(replaced(":method", "POST"), "trailer", "x-good, authorization, x-forwarded-for")...))
	request = append(request, frame(0, []byte("12345"))...)
	bad := append(bytes.Clone(request), frame(1, fieldSection(t, "x-good", "1", "authorization", "me"))...)
	if got := ask3(t, c, bad); got.status != 400 {
		t.Errorf("a trailer that can be no trailer: %+v", got)
	}
	<-seen
	good := append(request, frame(1, fieldSection(t, "x-good", "1", "x-forwarded-for", "1.2.3.4"))...)
	if got := ask3(t, c, good); got.status != 200 {
		t.Errorf("a trailer: %+v", got)
	}
	if got := <-seen; got.Get("X-Good") != "1" || len(got) != 1 {
		t.Errorf("trailers %v", got)
	}
}
