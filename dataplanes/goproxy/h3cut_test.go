package goproxy_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/ir"
)

// TestHTTP3CutBodies has clients that give their body up half way: no backend
// may take what came for all of it.
func TestHTTP3CutBodies(t *testing.T) {
	for name, protocol := range map[string]ir.BackendProtocol{"HTTP/1.1": ir.BackendHTTP1, "h2c": ir.BackendH2C} {
		began, ended := make(chan struct{}, 1), make(chan error, 1)
		r := newH3Rig(t)
		r.https("a", "a.example", r.ca.issue("a", "a.example"))
		r.unit.Proxy.Routes[0].Rules[0].Backends = to(r.backend("b", protocol, serve(t, func(_ http.ResponseWriter, q *http.Request) {
			_, _ = q.Body.Read(make([]byte, 1))
			began <- struct{}{}
			_, err := io.Copy(io.Discard, q.Body)
			ended <- err
		})))
		r.must()
		for _, fields := range [][]string{posts("/"), posts("/", "content-length", "100000")} {
			for _, goes := range []bool{false, true} {
				c, err := r.dialQUIC("a.example")
				if err != nil {
					t.Fatal(err)
				}
				s := r.ask(c, fields...)
				_, _ = s.Write(frame(0, make([]byte, 50000)))
				<-began
				if goes {
					_ = c.CloseWithError(0x100, "")
				} else {
					s.CancelWrite(0x10c)
				}
				select {
				case err := <-ended:
					if err == nil {
						t.Errorf("%s, %v, goes %t: half a body came as a whole one", name, fields[8:], goes)
					}
				case <-time.After(patience):
					t.Fatalf("%s, %v, goes %t: the backend is not told", name, fields[8:], goes)
				}
			}
		}
	}
}

// TestHTTP3Retries sends bodies again that came over HTTP/3, and copies of them.
func TestHTTP3Retries(t *testing.T) {
	backend, asked := failing(t, 1, 503)
	var copied atomic.Value
	r := newH3Rig(t)
	r.https("a", "a.example", r.ca.issue("a", "a.example"))
	mirror := r.backend("mirror", ir.BackendHTTP1, serve(t, func(_ http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		copied.Store(q.Header.Get("X-A") + " " + string(body))
	}))
	rule := r.unit.Proxy.Routes[0].Rules[0]
	rule.Backends = to(r.backend("b", ir.BackendHTTP1, backend))
	rule.Retry = &ir.Retry{Codes: []int{503}, Attempts: 1, Backoff: ir.Duration(time.Millisecond)}
	rule.Filters = []ir.Filter{{Mirror: &ir.Mirror{Backend: mirror, Numerator: 1, Denominator: 1}}}
	r.must()
	for range 3 {
		asked.Store(0)
		copied.Store("")
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://a.example/", struct{ io.Reader }{strings.NewReader("body")})
		req.Header.Set("X-A", "field")
		if got := do(t, r.client3("a.example"), req); got.status != 200 || asked.Load() != 2 {
			t.Errorf("%d after %d tries", got.status, asked.Load())
		}
		wait.For(t, "the copy", func() bool { return copied.Load() == "field body" })
	}
}

// TestHTTP3CutShortAnswers has backends that end before they have said what they
// announced, short enough to be held back whole.
func TestHTTP3CutShortAnswers(t *testing.T) {
	r := newH3Rig(t)
	r.https("a", "a.example", r.ca.issue("a", "a.example"))
	r.unit.Proxy.Routes[0].Rules[0].Backends = to(r.backend("b", ir.BackendHTTP1, serve(t, func(w http.ResponseWriter, q *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, map[string]string{
			"/length": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
			"/none":   "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
			"/chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
			"/chunk":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
			"/empty":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		}[q.URL.Path])
	})))
	r.must()
	for _, path := range []string{"/length", "/none", "/chunks", "/chunk", "/empty"} {
		res, err := r.client3("a.example").Get("https://a.example" + path)
		if err == nil {
			_, err = io.ReadAll(res.Body)
			res.Body.Close()
		}
		if err == nil && res.StatusCode < 500 {
			t.Errorf("%s: half an answer came as a whole one: %d", path, res.StatusCode)
		}
	}
	wait.For(t, "all are logged", func() bool { return strings.Count(r.log.String(), "\n") == 5 })
	if log := r.log.String(); strings.Count(log, `"HTTP/3"`) != 5 || strings.Contains(log, `"flags":""`) {
		t.Errorf("the log:\n%s", log)
	}
}
