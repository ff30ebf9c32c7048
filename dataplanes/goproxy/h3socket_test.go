package goproxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/sluice-gateway/sluice/ir"
)

// socket3 is a WebSocket over a stream of HTTP/3 (RFC 9220).
type socket3 struct {
	stream *quic.Stream
	frames *bufio.Reader
	data   bytes.Buffer
}

// openSocket3 asks for a WebSocket.
func openSocket3(t *testing.T, c *quic.Conn) (*socket3, rawAnswer) {
	t.Helper()
	stream, err := c.OpenStreamSync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.SetDeadline(time.Now().Add(patience))
	fields := append(replaced(":method", "CONNECT"), ":protocol", "websocket", "sec-websocket-version", "13")
	_, _ = stream.Write(frame(1, fieldSection(t, fields...)))
	s := &socket3{stream: stream, frames: bufio.NewReader(stream)}
	kind, payload := s.frame(t)
	var a rawAnswer
	a.take(t, kind, payload)
	return s, a
}

func (s *socket3) frame(t *testing.T) (kind uint64, payload []byte) {
	t.Helper()
	kind, err := quicvarint.Read(s.frames)
	if err != nil {
		t.Fatal(err)
	}
	length, err := quicvarint.Read(s.frames)
	if err != nil {
		t.Fatal(err)
	}
	payload = make([]byte, length)
	if _, err := io.ReadFull(s.frames, payload); err != nil {
		t.Fatal(err)
	}
	return kind, payload
}

// echo sends a message, with a mask of zeroes, and returns what comes back.
func (s *socket3) echo(t *testing.T, text string) string {
	t.Helper()
	message := append([]byte{0x81, 0x80 | 126}, byte(len(text)>>8), byte(len(text)), 0, 0, 0, 0)
	_, _ = s.stream.Write(frame(0, append(message, text...)))
	header := 4
	if len(text) < 126 {
		header = 2
	}
	for s.data.Len() < header+len(text) {
		_, payload := s.frame(t)
		s.data.Write(payload)
	}
	return string(s.data.Next(header + len(text))[header:])
}

func TestWebSocketOverHTTP3(t *testing.T) {
	r := newH3Rig(t)
	r.https("a", "a.example", r.ca.issue("a", "a.example"))
	r.unit.Proxy.Routes[0].Rules[0].Backends = to(r.backend("ws", ir.BackendHTTP1, echoSocket(t)))
	r.must()
	c, err := r.dialQUIC("a.example")
	if err != nil {
		t.Fatal(err)
	}
	socket, opened := openSocket3(t, c)
	if _, accepted := opened.fields["sec-websocket-accept"]; opened.status != 200 || accepted {
		t.Fatalf("%+v", opened)
	}
	for _, text := range []string{"one", strings.Repeat("x", 30000), "two"} {
		if got := socket.echo(t, text); got != text {
			t.Fatalf("sent %d bytes, got %d back", len(text), len(got))
		}
	}
	socket.stream.CancelRead(0x10c)
	socket.stream.CancelWrite(0x10c)
	wait.For(t, "the log's line", func() bool { return strings.Contains(r.log.String(), `"HTTP/3"`) })
}

// TestRefusedWebSocketOverHTTP3 has backends that answer as they like.
func TestRefusedWebSocketOverHTTP3(t *testing.T) {
	r := newH3Rig(t)
	r.https("a", "a.example", r.ca.issue("a", "a.example"))
	r.unit.Proxy.Routes[0].Rules[0].Backends = to(r.backend("ws", ir.BackendHTTP1, named(t, "no socket")))
	r.https("b", "b.example", r.ca.issue("b", "b.example"))
	r.unit.Proxy.Routes[1].Rules[0].Backends = to(r.backend("liar", ir.BackendHTTP1, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
		_, _ = io.Copy(io.Discard, c)
	})))
	r.https("c", "c.example", r.ca.issue("c", "c.example"))
	r.unit.Proxy.Routes = r.unit.Proxy.Routes[:2]
	r.must()
	for host, want := range map[string]int{"a.example": 502, "b.example": 502, "c.example": 404} {
		c, err := r.dialQUIC(host)
		if err != nil {
			t.Fatal(err)
		}
		fields := append(replaced(":authority", host), ":protocol", "websocket", "sec-websocket-version", "13")
		fields[1] = "CONNECT"
		got := ask3(t, c, frame(1, fieldSection(t, fields...)))
		if got.status != want || got.body == "no socket" {
			t.Errorf("%s: %+v, want %d", host, got, want)
		}
	}
}

// TestHTTP3SocketsLeaveNothing ends WebSockets in every way that there is.
func TestHTTP3SocketsLeaveNothing(t *testing.T) {
	r := newH3Rig(t)
	r.https("a", "a.example", r.ca.issue("a", "a.example"))
	r.unit.Proxy.Routes[0].Rules[0].Backends = to(r.backend("ws", ir.BackendHTTP1, echoSocket(t)))
	r.must()
	const each = 20
	for name, end := range map[string]func(c *quic.Conn, s *socket3){
		"the client's end": func(_ *quic.Conn, s *socket3) { s.stream.Close() },
		"a reset": func(_ *quic.Conn, s *socket3) {
			s.stream.CancelRead(0x10c)
			s.stream.CancelWrite(0x10c)
		},
		"half of one":            func(_ *quic.Conn, s *socket3) { s.stream.CancelWrite(0x10c) },
		"the connection's end":   func(c *quic.Conn, _ *socket3) { _ = c.CloseWithError(0x100, "") },
		"a message that is none": func(_ *quic.Conn, s *socket3) { _, _ = s.stream.Write(frame(0, bytes.Repeat([]byte{0xff}, 20))) },
		"no data":                func(_ *quic.Conn, s *socket3) { _, _ = s.stream.Write(frame(4, nil)) },
		"the listener's end":     func(*quic.Conn, *socket3) {},
	} {
		c, err := r.dialQUIC("a.example")
		if err != nil {
			t.Fatal(err)
		}
		var open []*socket3
		for range each {
			s, opened := openSocket3(t, c)
			if opened.status != 200 {
				t.Fatalf("%s: %+v", name, opened)
			}
			open = append(open, s)
		}
		for _, s := range open {
			end(c, s)
		}
		if name == "the listener's end" {
			listeners := r.unit.Proxy.Listeners
			r.unit.Proxy.Listeners = nil
			r.must()
			wait.For(t, name+": nothing at work", func() bool { return serving3() == 0 })
			r.unit.Proxy.Listeners = listeners
			r.must()
		}
		wait.For(t, name+": nothing at work", func() bool { return serving3() == 0 })
	}
	wait.For(t, "no request under way", func() bool { return strings.Contains(r.metrics(t), "sluice_proxy_active_requests 0") })
}
