package goproxy_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/coder/websocket"
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

// data waits for content of a stream.
func (f *framer) data() (content string, end bool) {
	f.t.Helper()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			f.t.Fatal(err)
		}
		if frame, ok := frame.(*http2.DataFrame); ok {
			return string(frame.Data()), frame.StreamEnded()
		}
	}
}

// TestWebSocketOverHTTP2 goes by an extended CONNECT (RFC 8441) to a Gateway, and
// by another from there to one before the backend of HTTP/1.1.
func TestWebSocketOverHTTP2(t *testing.T) {
	inner, outer := newRig(t), newRig(t)
	near := inner.listen("http")
	inner.route("http", &ir.Rule{Backends: to(inner.backend("ws", ir.BackendHTTP1, echoSocket(t)))})
	inner.must()
	far := outer.listen("http")
	outer.route("http", &ir.Rule{Backends: to(outer.backend("gw", ir.BackendH2C, near))})
	outer.must()
	f := dialH2(t, far)
	f.request(1, false, ":method: CONNECT", ":protocol: websocket", ":scheme: http", ":authority: x", ":path: /chat",
		"sec-websocket-version: 13")
	if got := f.status(); got != "200" {
		t.Fatalf("got %s, want 200", got)
	}
	for range 2 {
		// A text message, whose mask is zero.
		_ = f.WriteData(1, false, []byte("\x81\x85\x00\x00\x00\x00hello"))
		if got, _ := f.data(); got != "\x81\x05hello" {
			t.Fatalf("got %q", got)
		}
	}
	_ = f.WriteData(1, true, []byte("\x88\x82\x00\x00\x00\x00\x03\xe8"))
	for end := false; !end; {
		_, end = f.data()
	}
	for _, r := range []*rig{inner, outer} {
		wait.For(t, "the tunnel in the log", func() bool { return strings.Contains(r.log.String(), `"status":101`) })
	}
	// By HTTP/1.1 to the first.
	say(t, dialSocket(t, far), "by HTTP/1.1")
}

// TestTimeOutsEndTunnels has tunnels that are open when the time of their request
// is over.
func TestTimeOutsEndTunnels(t *testing.T) {
	inner, outer := newRig(t), newRig(t)
	near := inner.listen("http")
	inner.route("http", &ir.Rule{Backends: to(inner.backend("ws", ir.BackendHTTP1, echoSocket(t)))})
	inner.must()
	far := outer.listen("http")
	soon := ir.RuleTimeouts{Request: ir.Duration(200 * time.Millisecond)}
	for path, protocol := range map[string]ir.BackendProtocol{"/one": ir.BackendHTTP1, "/two": ir.BackendH2C} {
		outer.route("http", &ir.Rule{
			Backends: to(outer.backend("gw"+path[1:], protocol, near)), Timeouts: soon,
			Matches: []ir.Match{{Path: ir.PathMatch{Kind: ir.Exact, Value: path}}},
		})
	}
	outer.must()
	for _, path := range []string{"/one", "/two"} {
		f := dialH2(t, far)
		f.request(1, false, ":method: CONNECT", ":protocol: websocket", ":scheme: http", ":authority: x", ":path: "+path,
			"sec-websocket-version: 13")
		for _, want := range []string{"200", "reset"} {
			if got := f.status(); got != want {
				t.Errorf("HTTP/2 to %s: got %s, want %s", path, got, want)
			}
		}
		c, _, err := websocket.Dial(t.Context(), "ws://"+far+path, nil) //nolint:bodyclose // The package closes it.
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Read(t.Context()); err == nil {
			t.Errorf("HTTP/1.1 to %s: a message", path)
		}
		c.CloseNow()
	}
	wait.For(t, "four tunnels in the log", func() bool { return strings.Count(outer.log.String(), `"flags":"timeout"`) == 4 })
}

// TestFloodsAreCounted has a client that does nothing but ask for answers.
func TestFloodsAreCounted(t *testing.T) {
	r := newRig(t)
	addr := r.listen("http")
	r.must()
	f := dialH2(t, addr)
	for err := error(nil); err == nil; {
		err = f.WritePing(true, [8]byte{})
	}
	wait.For(t, "the flood in the metrics", func() bool {
		return strings.Contains(get(t, plain(t), "http://"+r.admin.String()+"/metrics").body, `reason="http2-flood"`)
	})
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
