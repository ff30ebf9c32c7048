package goproxy_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/ir"
)

// framer is an HTTP/2 client that writes what no library would.
type framer struct {
	*http2.Framer
	t *testing.T
}

// dialH2 opens a connection of HTTP/2 without TLS.
func dialH2(t *testing.T, addr string, settings ...http2.Setting) *framer {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	f := &framer{Framer: http2.NewFramer(c, c), t: t}
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := f.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return f
}

// request begins a stream with "name: value" fields; end says that no body
// follows.
func (f *framer) request(stream uint32, end bool, fields ...string) {
	f.t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		_ = encoder.WriteField(hpack.HeaderField{Name: name, Value: value})
	}
	err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end})
	if err != nil {
		f.t.Fatal(err)
	}
}

// status waits for a response's header, or for the end of the stream: "reset".
func (f *framer) status() string {
	f.t.Helper()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			f.t.Fatal(err)
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			return frame.PseudoValue("status")
		case *http2.RSTStreamFrame:
			return "reset"
		}
	}
}

// TestHTTP2TargetsThatHTTP1CannotSay are what a backend of HTTP/1.1 would read
// as another request line or another host.
func TestHTTP2TargetsThatHTTP1CannotSay(t *testing.T) {
	_, addr := mirrorRig(t, ir.Limits{})
	for _, c := range []struct{ method, authority, path, want string }{
		{"GET", "a.example", "/a?x=1", "200"},
		{"GET", "A.example.:8080", "/a?x=%20", "200"},
		{"GET", "[::1]:80", "/", "200"},
		{"OPTIONS", "a.example", "*", "200"},
		{"GET", "a.example", "/a?x=1 HTTP/1.0", "400"},
		{"GET", "a.example", "/a?x=1\tz", "400"},
		{"GET", "a.example", "/a?x=1#z", "400"},
		{"GET", "a.example", "/a?x=\u00e9", "400"},
		{"GET", "a.example", "http://evil.example/admin", "400"},
		{"GET", "a.example:80@evil.example", "/", "400"},
		{"GET", "a.example:80/../admin?", "/", "400"},
		{"GET", "a.example:", "/", "400"},
		{"GET", "a.example:65536", "/", "400"},
		{"GET", "a.example:+80", "/", "400"},
		{"GET", "::1", "/", "400"},
		{"GET", "[::1]x", "/", "400"},
		{"GET", "[::1%25lo]", "/", "400"},
		{"GET", "[a.example]", "/", "400"},
		{"GET", "[", "/", "400"},
	} {
		f := dialH2(t, addr)
		f.request(1, true, ":method: "+c.method, ":scheme: http", ":authority: "+c.authority, ":path: "+c.path)
		if got := f.status(); got != c.want {
			t.Errorf("%s %q of %q: got %s, want %s", c.method, c.path, c.authority, got, c.want)
		}
	}
}
