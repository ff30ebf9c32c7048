package goproxy_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/ir"
)

// refusing is a backend of HTTP/2 that refuses every second stream unseen, as
// one does that is about to go.
func refusing(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	var streams atomic.Int64
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				refuseStreams(c, &streams)
			}()
		}
	}()
	return ln.Addr().String()
}

func refuseStreams(c net.Conn, streams *atomic.Int64) {
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	f := http2.NewFramer(c, c)
	_ = f.WriteSettings()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.DataFrame:
			if !frame.StreamEnded() {
				continue
			}
			if streams.Add(1)%2 == 1 {
				_ = f.WriteRSTStream(frame.StreamID, http2.ErrCodeRefusedStream)
				continue
			}
			var block bytes.Buffer
			_ = hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
			_ = f.WriteHeaders(http2.HeadersFrameParam{
				StreamID: frame.StreamID, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true,
			})
		}
	}
}

// TestRefusedStreamsAreSentAgain holds without a Retry: the backend says that it
// has not looked at them (RFC 9113, section 8.7).
func TestRefusedStreamsAreSentAgain(t *testing.T) {
	r := newRig(t)
	addr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("b", ir.BackendH2C, refusing(t)))})
	r.must()
	for range 4 {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/", strings.NewReader("hello"))
		if got := do(t, h2c(t), req); got.status != 200 {
			t.Errorf("got %d, want 200", got.status)
		}
	}
}

// TestBackendsOfHTTP2AreHeldBack looks at how much a backend may send of a
// response that its client does not read.
func TestBackendsOfHTTP2AreHeldBack(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	window := make(chan uint32, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.ReadFull(c, make([]byte, len(http2.ClientPreface)))
		if frame, err := http2.NewFramer(io.Discard, c).ReadFrame(); err == nil {
			size, _ := frame.(*http2.SettingsFrame).Value(http2.SettingInitialWindowSize)
			window <- size
		}
	}()
	r := newRig(t)
	addr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("b", ir.BackendH2C, ln.Addr().String()))})
	r.must()
	get(t, plain(t), "http://"+addr+"/")
	if got := <-window; got < 64<<10 || got > 256<<10 {
		t.Errorf("a backend may send %d bytes ahead, want 64 to 256 KiB", got)
	}
}
