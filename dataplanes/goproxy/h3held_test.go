package goproxy_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/quic-go/quic-go"

	"github.com/sluice-gateway/sluice/ir"
)

// serving3 is how many streams of HTTP/3 something of ours is at work on.
func serving3() int {
	stacks := make([]byte, 16<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return strings.Count(string(stacks), "handleRequestStream(")
}

// dialNarrow makes a connection whose client takes so many octets of a stream
// until it reads them.
func (r *tlsRig) dialNarrow(sni string, window uint64) *quic.Conn {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	config := &tls.Config{ServerName: sni, RootCAs: r.ca.pool(), NextProtos: []string{"h3"}, MinVersion: tls.VersionTLS13}
	c, err := quic.DialAddr(ctx, r.addr(), config, &quic.Config{
		InitialStreamReceiveWindow: window, MaxStreamReceiveWindow: window,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.CloseWithError(0x100, "") })
	control, err := c.OpenUniStream()
	if err != nil {
		r.t.Fatal(err)
	}
	_, _ = control.Write([]byte{0x00, 0x04, 0x00})
	return c
}

// TestHTTP3ClientsThatTakeNothingAreGivenUp has clients with no room for what
// comes before a body, after it, or instead of it.
func TestHTTP3ClientsThatTakeNothingAreGivenUp(t *testing.T) {
	r := newH3Rig(t)
	r.unit.Proxy.Settings.Timeouts.Stall = ir.Duration(200 * time.Millisecond)
	long := ir.Filter{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-Long", Value: strings.Repeat("x", 8000)}}}}
	rule := func(name string) *ir.Rule {
		host := name + ".example"
		r.https(name, host, r.ca.issue(name, host))
		rule := r.unit.Proxy.Routes[len(r.unit.Proxy.Routes)-1].Rules[0]
		rule.Filters = []ir.Filter{long}
		return rule
	}
	rule("header").Backends = to(r.backend("streams", ir.BackendHTTP1, serve(t, func(w http.ResponseWriter, q *http.Request) {
		_ = http.NewResponseController(w).Flush()
		if q.Method == http.MethodGet {
			<-q.Context().Done()
		}
	})))
	rule("moved").Filters = []ir.Filter{{Redirect: &ir.Redirect{Status: 302}}, long}
	rule("socket").Backends = to(r.backend("ws", ir.BackendHTTP1, echoSocket(t)))
	trails := rule("trails")
	trails.Filters = nil
	trails.Backends = to(r.backend("trails", ir.BackendHTTP1, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "x")
		_ = http.NewResponseController(w).Flush()
		w.Header().Set("X-Sum", strings.Repeat("x", 8000))
	})))
	r.must()
	for name, c := range map[string]struct{ host, method string }{
		"the header of a stream":  {"header.example", "GET"},
		"a header without a body": {"header.example", "HEAD"},
		"a redirect":              {"moved.example", "GET"},
		"a WebSocket":             {"socket.example", "CONNECT"},
		"a trailer":               {"trails.example", "GET"},
	} {
		t.Run(name, func(t *testing.T) {
			fields := []string{":method", c.method, ":scheme", "https", ":authority", c.host, ":path", "/"}
			if c.method == http.MethodConnect {
				fields = append(fields, ":protocol", "websocket", "sec-websocket-version", "13")
			}
			s, err := r.dialNarrow(c.host, 1000).OpenStreamSync(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, _ = s.Write(frame(1, fieldSection(t, fields...)))
			if c.method != http.MethodConnect {
				s.Close()
			}
			wait.For(t, "something at work on it", func() bool { return serving3() > 0 })
			wait.For(t, "nothing at work on it", func() bool { return serving3() == 0 })
		})
	}
}

// TestHTTP3GoodbyeWaitsForSlowReaders asks a client to go that takes its time for
// the short answer that it has been given.
func TestHTTP3GoodbyeWaitsForSlowReaders(t *testing.T) {
	r := newH3Rig(t)
	r.unit.Proxy.Settings.Timeouts.Drain = ir.Duration(patience)
	began, free := make(chan struct{}), make(chan struct{})
	r.https("a", "a.example", r.ca.issue("a", "a.example"))
	r.unit.Proxy.Routes[0].Rules[0].Backends = to(r.backend("short", ir.BackendHTTP1, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-free
		w.Header().Set("Content-Length", "3900")
		_, _ = io.WriteString(w, strings.Repeat("x", 3900))
	})))
	r.must()
	c := r.dialNarrow("a.example", 1000)
	s := r.ask(c, with()...)
	s.Close()
	<-began
	r.unit.Proxy.Listeners, r.unit.Proxy.Routes = nil, nil
	r.must()
	close(free)
	select {
	case <-c.Context().Done():
		t.Error("the connection ended with its answer under way")
	case <-time.After(2 * time.Second): // A goodbye lasts half as long.
	}
	if got := readAnswer(t, s); len(got.body) != 3900 {
		t.Errorf("%d octets of it came", len(got.body))
	}
	select {
	case <-c.Context().Done():
	case <-time.After(patience):
		t.Error("the connection stays open")
	}
}
