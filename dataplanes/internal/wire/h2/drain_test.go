package h2

import (
	"context"
	"net"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// TestLateRequestsOfADrain has requests that were sent before the client knew:
// nothing that comes for them may end the others.
func TestLateRequestsOfADrain(t *testing.T) {
	held := make(chan struct{})
	r := newRig(t, func(context.Context, *exchange.Request) *exchange.Response {
		<-held
		return &exchange.Response{Status: 204}
	}).start()
	release := sync.OnceFunc(func() { close(held) })
	t.Cleanup(release)
	p := r.dial().hello()
	p.get(1)
	p.framer.WritePing(false, [8]byte{1})
	if got := p.next(); !got.pong {
		t.Fatalf("got %+v", got)
	}
	go r.server.Drain()
	for range 2 {
		if got := p.next(); !got.goAway {
			t.Fatalf("got %+v, want GOAWAY", got)
		}
	}
	p.post(3)
	p.framer.WriteData(3, false, []byte("some"))
	p.framer.WriteWindowUpdate(3, 10)
	p.framer.WriteData(3, false, []byte("content"))
	p.head(3, true, "x-trailer", "a")
	p.post(5)
	p.framer.WriteRSTStream(5, http2.ErrCodeCancel)
	p.framer.WritePing(false, [8]byte{2})
	if got := p.next(); !got.pong {
		t.Fatalf("got %+v, want nothing", got)
	}
	release()
	if got := p.status(); got != 204 {
		t.Errorf("got %d", got)
	}
}

// TestDrainBeforeTheGreeting has a connection that was taken when its server
// begins to drain: SETTINGS come first all the same.
func TestDrainBeforeTheGreeting(t *testing.T) {
	r := newRig(t, answering)
	r.server.prepared.Do(r.server.prepare)
	ours, theirs := net.Pipe()
	s := newSession(t.Context(), r.server, ours)
	if !r.server.add(s) {
		t.Fatal("the server takes no connections")
	}
	r.server.Drain()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.run()
	}()
	if f, err := newRawPeer(t, theirs).framer.ReadFrame(); err != nil || f.Header().Type != http2.FrameSettings {
		t.Errorf("got %v, %v, want SETTINGS", f, err)
	}
	theirs.Close()
	<-ended
}
