package goproxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/quic-go/quic-go"

	"github.com/sluice-gateway/sluice/ir"
)

// held is a backend whose answers begin at once, and end when they are let go.
type held struct {
	began chan struct{}
	free  chan struct{}
}

func newHeld() *held { return &held{began: make(chan struct{}, 100), free: make(chan struct{})} }

func (h *held) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, "begun ")
	_ = http.NewResponseController(w).Flush()
	h.began <- struct{}{}
	select {
	case <-h.free:
		fmt.Fprint(w, "ended")
	case <-r.Context().Done():
	}
}

// holding adds a listener whose backend holds its answers.
func (r *tlsRig) holding(name, hostname string) *held {
	h := newHeld()
	r.https(name, hostname, r.ca.issue(name, hostname))
	route := r.unit.Proxy.Routes[len(r.unit.Proxy.Routes)-1]
	route.Rules[0].Backends = to(r.backend(name+"-held", ir.BackendHTTP1, serve(r.t, h.ServeHTTP)))
	return h
}

// TestHTTP3Drains has what is under way end well when the listener goes, and the
// socket with it.
func TestHTTP3Drains(t *testing.T) {
	r := newH3Rig(t)
	r.unit.Proxy.Settings.Timeouts.Drain = ir.Duration(patience)
	h := r.holding("a", "a.example")
	r.must()
	res, err := r.client3("a.example").Get("https://a.example/")
	if err != nil {
		t.Fatal(err)
	}
	<-h.began
	r.unit.Proxy.Listeners, r.unit.Proxy.Routes = nil, nil
	r.must()
	if _, err := r.dialQUICWithin("a.example", 100*time.Millisecond); err == nil {
		t.Error("a new connection was let in")
	}
	close(h.free)
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || string(body) != "begun ended" {
		t.Errorf("body %q, %v", body, err)
	}
	wait.For(t, "the UDP port to be free", func() bool { return udpFree(r.port) })
}

// TestHTTP3SurvivesSettings changes settings under a request: its connection
// stays, and is held to the new ones from the next request on.
func TestHTTP3SurvivesSettings(t *testing.T) {
	r := newH3Rig(t)
	h := r.holding("a", "a.example")
	r.must()
	client := r.client3("a.example")
	res, err := client.Get("https://a.example/")
	if err != nil {
		t.Fatal(err)
	}
	<-h.began
	r.unit.Proxy.Settings.Limits.RequestBodyBytes = 3
	r.must()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://a.example/", strings.NewReader("12345"))
	if got := do(t, client, req); got.status != 413 {
		t.Errorf("the next request: %d, want 413", got.status)
	}
	close(h.free)
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || string(body) != "begun ended" {
		t.Errorf("body %q, %v", body, err)
	}
}

// TestHTTP3CountsWithTCP holds the connections of a port to one limit.
func TestHTTP3CountsWithTCP(t *testing.T) {
	r := newH3Rig(t)
	r.unit.Proxy.Settings.Limits.Connections = 2
	r.reflecting("a", "a.example")
	r.must()
	get(t, r.client("a.example"), "https://a.example/")
	c, err := r.dialQUIC("a.example")
	if err != nil {
		t.Fatal(err)
	}
	request := frame(1, fieldSection(t, with()...))
	ask3(t, c, request)
	if !r.refused3() {
		t.Error("a third connection was let in")
	}
	_ = c.CloseWithError(0x100, "")
	wait.For(t, "room for another", func() bool { return !r.refused3() })
}

// refused3 reports whether a connection is one too many, and closes it.
func (r *tlsRig) refused3() bool {
	c, err := r.dialQUIC("a.example")
	if err != nil {
		_, refused := errorAs[*quic.TransportError](err)
		return refused
	}
	defer c.CloseWithError(0x100, "") //nolint:errcheck // It may be closed.
	s, err := c.OpenStreamSync(r.t.Context())
	if err != nil {
		return true
	}
	_, _ = s.Write(frame(1, fieldSection(r.t, with()...)))
	s.Close()
	_, err = io.ReadAll(s)
	return err != nil
}

// TestHTTP3BoundsStreams holds a connection to as many requests as are allowed.
func TestHTTP3BoundsStreams(t *testing.T) {
	r := newH3Rig(t)
	r.unit.Proxy.Settings.Limits.ConcurrentStreams = 2
	r.reflecting("a", "a.example")
	r.must()
	c, err := r.dialQUIC("a.example")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.OpenStream(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.OpenStream(); err == nil {
		t.Error("a third stream was let in")
	}
}

// TestHTTP3Stall gives up on clients that send nothing of a body, or take nothing
// of what they are sent, and keeps their connection.
func TestHTTP3Stall(t *testing.T) {
	r := newH3Rig(t)
	r.unit.Proxy.Settings.Timeouts.Stall = ir.Duration(300 * time.Millisecond)
	r.unit.Proxy.Settings.Timeouts.RequestHeader = ir.Duration(300 * time.Millisecond)
	r.https("a", "a.example", r.ca.issue("a", "a.example"))
	ended := make(chan struct{}, 1)
	page := bytes.Repeat([]byte("x"), 64<<10)
	backend := serve(t, func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		for req.URL.Path == "/endless" {
			if _, err := w.Write(page); err != nil {
				ended <- struct{}{}
				return
			}
		}
	})
	r.unit.Proxy.Routes[0].Rules[0].Backends = to(r.backend("stall", ir.BackendHTTP1, backend))
	r.must()
	c, err := r.dialQUIC("a.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"POST", "GET"} {
		s, err := c.OpenStreamSync(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_ = s.SetDeadline(time.Now().Add(patience))
		_, _ = s.Write(frame(1, fieldSection(t, replaced(":method", method)...)))
		if got := readAnswer(t, s); got.status != 408 {
			t.Errorf("%s without an end: %+v, want 408", method, got)
		}
	}
	s, err := c.OpenStreamSync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = s.Write(frame(1, fieldSection(t, replaced(":path", "/endless")...)))
	s.Close()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the backend of a client that takes nothing is never told")
	}
	if got := ask3(t, c, frame(1, fieldSection(t, with()...))); got.status != 200 {
		t.Errorf("the next request: %+v", got)
	}
}

// TestHTTP3EndsIdleConnections ends those on which nothing is asked for, though
// a part of a header has come.
func TestHTTP3EndsIdleConnections(t *testing.T) {
	r := newH3Rig(t)
	r.unit.Proxy.Settings.Timeouts.Idle = ir.Duration(300 * time.Millisecond)
	r.reflecting("a", "a.example")
	r.must()
	c, err := r.dialQUIC("a.example")
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.OpenStreamSync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = s.Write([]byte{1, 50, 0, 0})
	select {
	case <-c.Context().Done():
	case <-time.After(patience):
		t.Error("the connection stays open")
	}
	if end, ok := errorAs[*quic.ApplicationError](context.Cause(c.Context())); !ok || end.ErrorCode != 0x100 {
		t.Errorf("it ended with %v", context.Cause(c.Context()))
	}
}

// TestHTTP3TellsBackendsThatClientsAreGone has a client reset its stream.
func TestHTTP3TellsBackendsThatClientsAreGone(t *testing.T) {
	r := newH3Rig(t)
	gone := make(chan struct{})
	r.https("a", "a.example", r.ca.issue("a", "a.example"))
	began := make(chan struct{})
	r.unit.Proxy.Routes[0].Rules[0].Backends = to(r.backend("wait", ir.BackendHTTP1, serve(t, func(_ http.ResponseWriter, req *http.Request) {
		close(began)
		<-req.Context().Done()
		close(gone)
	})))
	r.must()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-began
		cancel()
	}()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://a.example/", nil)
	if res, err := r.client3("a.example").Do(req); err == nil {
		res.Body.Close()
		t.Error("an answer came")
	}
	select {
	case <-gone:
	case <-time.After(patience):
		t.Error("the backend waits for ever")
	}
}

// TestHTTP3CutResponses shows that a response is not whole by resetting it.
func TestHTTP3CutResponses(t *testing.T) {
	r := newH3Rig(t)
	r.https("a", "a.example", r.ca.issue("a", "a.example"))
	r.unit.Proxy.Routes[0].Rules[0].Backends = to(r.backend("cut", ir.BackendHTTP1, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})))
	r.must()
	res, err := r.client3("a.example").Get("https://a.example/")
	if err == nil {
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	if err == nil {
		t.Error("half a response came as a whole one")
	}
}

// TestHTTP3RefusesTrustedProxies: they must say whom they speak for, and QUIC has
// no way to.
func TestHTTP3RefusesTrustedProxies(t *testing.T) {
	r := newH3Rig(t)
	r.reflecting("a", "a.example")
	r.unit.Proxy.Settings.ProxyProtocol = ir.ProxyProtocol{Trusted: []string{"127.0.0.0/8"}}
	r.must()
	if _, err := r.dialQUIC("a.example"); err == nil {
		t.Error("a trusted proxy was let in without a header")
	}
	r.unit.Proxy.Settings.ProxyProtocol.Trusted = []string{"10.0.0.0/8"}
	r.must()
	if got := get(t, r.client3("a.example"), "https://a.example/"); got.status != 200 {
		t.Errorf("another client: %d", got.status)
	}
}
