package goproxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/ir"
)

func TestWeightedSplit(t *testing.T) {
	r := newRig(t)
	addr := r.listen("http")
	uses := to(r.backend("a", ir.BackendHTTP1, named(t, "a")), r.backend("b", ir.BackendHTTP1, named(t, "b")), r.backend("c", ir.BackendHTTP1, named(t, "c")))
	uses[0].Weight, uses[1].Weight, uses[2].Weight = 80, 20, 0
	r.route("http", &ir.Rule{Backends: uses})
	r.must()
	client, counts := plain(t), map[string]int{}
	for range 1000 {
		counts[get(t, client, "http://"+addr+"/").body]++
	}
	// Eight standard deviations of a draw of 1,000.
	if counts["a"] < 700 || counts["a"] > 900 || counts["c"] != 0 {
		t.Errorf("got %v, want about 800 a, 200 b and no c", counts)
	}
}

func TestRequestsTakeTurns(t *testing.T) {
	r := newRig(t)
	addr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, named(t, "a"), named(t, "b")))})
	r.must()
	client, counts := plain(t), map[string]int{}
	for range 10 {
		counts[get(t, client, "http://"+addr+"/").body]++
	}
	if counts["a"] != 5 || counts["b"] != 5 {
		t.Errorf("got %v, want five each", counts)
	}
}

func TestSessionsStayWithTheirEndpoint(t *testing.T) {
	for _, inHeader := range []bool{false, true} {
		r := newRig(t)
		addr := r.listen("http")
		key := r.backend("b", ir.BackendHTTP1, named(t, "a"), named(t, "b"), named(t, "c"))
		r.route("http", &ir.Rule{Backends: to(key), Session: &ir.Session{Name: "stick", Header: inHeader, Path: "/"}})
		r.must()
		client := plain(t)
		first := get(t, client, "http://"+addr+"/")
		token := func(req *http.Request) {
			if inHeader {
				req.Header.Set("stick", first.header.Get("stick"))
				return
			}
			req.Header.Set("Cookie", strings.SplitN(first.header.Get("Set-Cookie"), ";", 2)[0])
		}
		for range 6 {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/", nil)
			token(req)
			if got := do(t, client, req); got.body != first.body || got.header.Get("Set-Cookie") != "" {
				t.Errorf("header %t: got %q, want %q and no new token", inHeader, got.body, first.body)
			}
		}
		r.endpoints(key.EndpointsKey, named(t, "new"))
		r.must()
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/", nil)
		token(req)
		got := do(t, client, req)
		if got.body != "new" || got.header.Get("Set-Cookie")+got.header.Get("stick") == "" {
			t.Errorf("header %t: the endpoint is gone: got %q with %v, want another and a new token", inHeader, got.body, got.header)
		}
	}
}

// TestMirrorsNeverSlow has a mirror that hangs for as long as the test runs.
func TestMirrorsNeverSlow(t *testing.T) {
	hold := make(chan struct{})
	copies := make(chan string, 100)
	slow := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		copies <- r.URL.Path + " " + string(body)
		<-hold
	})
	echo := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	r := newRig(t)
	addr := r.listen("http")
	key := r.backend("mirror", ir.BackendHTTP1, slow)
	r.route("http", &ir.Rule{
		Backends: to(r.backend("b", ir.BackendHTTP1, echo)),
		Filters:  []ir.Filter{{Mirror: &ir.Mirror{Backend: key, Numerator: 1, Denominator: 1}}},
	})
	r.must()
	t.Cleanup(func() { close(hold) })
	for range 20 {
		if got := post(t, addr, strings.NewReader("copy me")); got.body != "copy me" {
			t.Fatalf("got %d %q", got.status, got.body)
		}
	}
	for range 20 {
		select {
		case got := <-copies:
			if got != "/ copy me" {
				t.Errorf("the mirror got %q", got)
			}
		case <-time.After(patience):
			t.Fatal("a copy never came")
		}
	}
	if got := post(t, addr, strings.NewReader(strings.Repeat("x", 2<<20))); len(got.body) != 2<<20 {
		t.Errorf("a body too long for a copy: got %d bytes back", len(got.body))
	}
	metrics := func() string { return get(t, plain(t), "http://"+r.admin.String()+"/metrics").body }
	wait.For(t, "the long body to be counted", func() bool { return strings.Contains(metrics(), "sluice_proxy_mirrors_dropped_total 1") })
}

func TestExternalAuthorization(t *testing.T) {
	auth := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "yes" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("X-User", "u")
	})
	r := newRig(t)
	addr := r.listen("http")
	backend := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("X-User")) })
	rule := func(key ir.BackendKey) *ir.Rule {
		return &ir.Rule{
			Backends: to(r.backend("b", ir.BackendHTTP1, backend)),
			Filters:  []ir.Filter{{ExternalAuth: &ir.ExternalAuth{Backend: key}}},
		}
	}
	r.route("http", rule(r.backend("auth", ir.BackendHTTP1, auth)))
	r.must()
	ask := func(token string) answer {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/", nil)
		req.Header.Set("Authorization", token)
		return do(t, plain(t), req)
	}
	if got := ask("yes"); got.status != 200 || got.body != "u" {
		t.Errorf("with a yes: %d %q, want 200 u", got.status, got.body)
	}
	if got := ask("no"); got.status != 403 {
		t.Errorf("with a no: %d, want 403", got.status)
	}
	r.endpoints(ir.EndpointsKey{Namespace: "apps", Service: "auth", Port: 80}, dead(t))
	r.must()
	if got := ask("yes"); got.status < 400 {
		t.Errorf("without an answer: %d, want a refusal", got.status)
	}
}
