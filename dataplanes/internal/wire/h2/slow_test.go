package h2

import (
	"io"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// TestSlowContentFrame has a client whose line is slow: that its frames are long
// is no reason to end its connection.
func TestSlowContentFrame(t *testing.T) {
	r := timed(t, answering, func(s *Server) { s.Timeouts.Head, s.Timeouts.Read = 50*time.Millisecond, patient })
	p := r.dial().hello()
	p.post(1)
	io.WriteString(p.conn, "\x00\x00\x0a\x00\x01\x00\x00\x00\x01half ")
	// Another that is late with a head, from later on, tells the time.
	clock := r.dial().hello()
	clock.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: clock.encode(getPseudo...), EndStream: true})
	if got := clock.next(); !got.goAway {
		t.Fatalf("got %+v, want GOAWAY", got)
	}
	io.WriteString(p.conn, "whole")
	if got := p.next(); got.status != "200" {
		t.Errorf("got %+v, want an answer", got)
	}
}
