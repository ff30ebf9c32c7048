package goproxy_test

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/ir"
)

// TestHTTP3HandsHintsOn has backends that say something before their answer.
func TestHTTP3HandsHintsOn(t *testing.T) {
	hints := func(w http.ResponseWriter, _ *http.Request) {
		for _, link := range []string{"</a>", "</b>"} {
			w.Header().Set("Link", link)
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.Header().Del("Link")
		_, _ = io.WriteString(w, "answer")
	}
	for name, protocol := range map[string]ir.BackendProtocol{"HTTP/1.1": ir.BackendHTTP1, "h2c": ir.BackendH2C} {
		r := newH3Rig(t)
		r.https("a", "a.example", r.ca.issue("a", "a.example"))
		r.unit.Proxy.Routes[0].Rules[0].Backends = to(r.backend("hints", protocol, serve(t, hints)))
		r.must()
		var links []string
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			if code == http.StatusEarlyHints {
				links = append(links, h.Get("Link"))
			}
			return nil
		}}
		req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, "https://a.example/", nil)
		got := do(t, r.client3("a.example"), req)
		if got.status != 200 || got.body != "answer" || got.header.Get("Link") != "" || strings.Join(links, " ") != "</a> </b>" {
			t.Errorf("%s: %+v after %q", name, got, links)
		}
	}
}

// TestHTTP3AsksForBodiesThatAreRead has clients that wait to be asked for a body
// of which nobody wants anything.
func TestHTTP3AsksForBodiesThatAreRead(t *testing.T) {
	r := newH3Rig(t)
	r.reflecting("a", "a.example")
	r.unit.Proxy.Routes[0].Rules[0].Matches = []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: "/here"}}}
	r.must()
	for path, want := range map[string]int{"/here": 100, "/nowhere": 404} {
		c, err := r.dialQUIC("a.example")
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.OpenStreamSync(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_ = s.SetDeadline(time.Now().Add(patience))
		fields := append(replaced(":path", path), "expect", "100-continue", "content-length", "5")
		fields[1] = "POST"
		_, _ = s.Write(frame(1, fieldSection(t, fields...)))
		if got := firstStatus(t, s); got != want {
			t.Errorf("%s: %d comes first, want %d", path, got, want)
		}
		_, _ = s.Write(frame(0, []byte("12345")))
		s.Close()
		if want != 100 {
			continue
		}
		if got := readAnswer(t, s); got.status != 200 || got.body != "POST 5" {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

// TestHTTP3HintsThatNobodyTakes has a client with no room for them.
func TestHTTP3HintsThatNobodyTakes(t *testing.T) {
	r := newH3Rig(t)
	r.unit.Proxy.Settings.Timeouts.Stall = ir.Duration(200 * time.Millisecond)
	r.https("a", "a.example", r.ca.issue("a", "a.example"))
	r.unit.Proxy.Routes[0].Rules[0].Backends = to(r.backend("hints", ir.BackendHTTP1, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", strings.Repeat("x", 8000))
		w.WriteHeader(http.StatusEarlyHints)
	})))
	r.must()
	s, err := r.dialNarrow("a.example", 1000).OpenStreamSync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = s.Write(frame(1, fieldSection(t, with()...)))
	s.Close()
	wait.For(t, "something at work on it", func() bool { return serving3() > 0 })
	wait.For(t, "nothing at work on it", func() bool { return serving3() == 0 })
	_ = s.SetReadDeadline(time.Now().Add(patience))
	if got := readAnswer(t, s); got.reset == 0 {
		t.Errorf("half a hint, and then %+v", got)
	}
}
