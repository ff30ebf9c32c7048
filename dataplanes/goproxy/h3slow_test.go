package goproxy_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/sluice-gateway/sluice/ir"
)

// slowRig3 asks clients for a rate.
func slowRig3(t *testing.T, stall time.Duration, rate int, backend http.HandlerFunc) *tlsRig {
	t.Helper()
	r := newH3Rig(t)
	r.unit.Proxy.Settings.Timeouts.Stall = ir.Duration(stall)
	r.unit.Proxy.Settings.Limits.MinBodyBytesPerSecond = rate
	r.https("a", "a.example", r.ca.issue("a", "a.example"))
	r.unit.Proxy.Routes[0].Rules[0].Backends = to(r.backend("b", ir.BackendHTTP1, serve(t, backend)))
	r.must()
	return r
}

// sink reads what it is sent and then answers; at /at-once it answers first.
func sink(w http.ResponseWriter, q *http.Request) {
	if q.URL.Path == "/at-once" {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.WriteString(w, "begun")
		_ = http.NewResponseController(w).Flush()
	}
	_, _ = io.Copy(io.Discard, q.Body)
	_, _ = io.WriteString(w, ", ended")
}

func (r *tlsRig) ask(c *quic.Conn, fields ...string) *quic.Stream {
	r.t.Helper()
	s, err := c.OpenStreamSync(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	_ = s.SetDeadline(time.Now().Add(2 * patience))
	_, _ = s.Write(frame(1, fieldSection(r.t, fields...)))
	return s
}

func posts(path string, more ...string) []string {
	return append([]string{":method", "POST", ":scheme", "https", ":authority", "a.example", ":path", path}, more...)
}

// TestHTTP3SlowBodiesAreGivenUp has clients that never stall and never end.
func TestHTTP3SlowBodiesAreGivenUp(t *testing.T) {
	r := slowRig3(t, 200*time.Millisecond, hurry, sink)
	c, err := r.dialQUIC("a.example")
	if err != nil {
		t.Fatal(err)
	}
	for name, fields := range map[string][]string{
		"no length": posts("/"), "a length": posts("/", "content-length", "1000000"),
	} {
		s := r.ask(c, fields...)
		_ = s.SetReadDeadline(time.Now().Add(patience / 2)) // The trickle lasts longer.
		go trickle(forever, func() error {
			_, err := s.Write(frame(0, []byte("1")))
			return err
		})
		if got := firstStatus(t, s); got != http.StatusRequestTimeout {
			t.Errorf("%s: got %d, want 408", name, got)
		}
		s.CancelRead(0x10c)
	}
}

// TestHTTP3SlowStreamsLive has clients that trickle where they may, for longer
// than the stall.
func TestHTTP3SlowStreamsLive(t *testing.T) {
	const long = 400
	r := slowRig3(t, 1500*time.Millisecond, hurry, sink)
	c, err := r.dialQUIC("a.example")
	if err != nil {
		t.Fatal(err)
	}
	stream := r.ask(c, posts("/at-once")...)
	// Nobody can know that the answer will stream before it does.
	_, _ = stream.Write(frame(0, []byte("1")))
	if got := firstStatus(t, stream); got != 200 {
		t.Fatalf("a response that streams: %d", got)
	}
	call := r.ask(c, posts("/", "content-type", "application/grpc")...)
	trickle(long, func() error {
		for _, s := range []*quic.Stream{stream, call} {
			if _, err := s.Write(frame(0, []byte("1"))); err != nil {
				return err
			}
		}
		return nil
	})
	stream.Close()
	call.Close()
	if got := readAnswer(t, stream); got.body != "begun, ended" || got.reset != 0 {
		t.Errorf("a response that streams: %+v", got)
	}
	if got := readAnswer(t, call); got.status != 200 {
		t.Errorf("a call of gRPC: %+v", got)
	}
}

// reader3 asks for a long answer, and takes a piece of it every few milliseconds.
func reader3(r *tlsRig, piece int) (taken int, err error) {
	s := r.ask(r.dialNarrow("a.example", 1000), with()...)
	s.Close()
	buffer := make([]byte, piece)
	trickle(forever, func() error {
		var n int
		n, err = s.Read(buffer)
		taken += n
		return err
	})
	return taken, err
}

// TestHTTP3SlowReaders has clients that take something all the time: one enough
// of it, though not a whole piece of ours in a stall, and one too little.
func TestHTTP3SlowReaders(t *testing.T) {
	const length = 60 << 10
	for name, c := range map[string]struct {
		rate  int
		whole bool
	}{"fast enough": {100, true}, "any rate will do": {0, true}, "too slow": {64 * hurry, false}} {
		r := slowRig3(t, 1200*time.Millisecond, c.rate, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, length)) })
		taken, err := reader3(r, 100)
		if whole := err == io.EOF && taken > length; whole != c.whole { //nolint:errorlint // A reader's io.EOF is never wrapped.
			t.Errorf("%s: %d octets, %v", name, taken, err)
		}
	}
}
