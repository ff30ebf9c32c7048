package detour_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

// vouches is an authorization server that knows one user.
func vouches(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "allow" {
		w.Header().Set("Www-Authenticate", "Basic")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("X-User", "alice")
}

func auth(backend ir.BackendKey) ir.Filter {
	return ir.Filter{ExternalAuth: &ir.ExternalAuth{Backend: backend, ResponseHeaders: []string{"x-user"}}}
}

func echo(w http.ResponseWriter, r *http.Request) {
	for name, values := range r.Header {
		w.Header()["Got-"+name] = values
	}
	_ = http.NewResponseController(w).EnableFullDuplex()
	w.Header().Set("Got-Path", r.URL.Path)
	_, _ = io.Copy(w, r.Body)
}

// TestDetour has a rule with all that the agent does, for both versions of HTTP.
func TestDetour(t *testing.T) {
	for _, protocol := range []ir.BackendProtocol{ir.BackendHTTP1, ir.BackendH2C} {
		t.Run(string(protocol), func(t *testing.T) {
			r := newRig(t)
			copies := make(chan *http.Request, 1)
			bodies := make(chan string, 1)
			one := r.backend(protocol, http.HandlerFunc(echo))
			server := r.backend(ir.BackendHTTP1, http.HandlerFunc(vouches))
			copy := r.backend(ir.BackendHTTP1, http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
				body, _ := io.ReadAll(q.Body)
				copies <- q
				bodies <- string(body)
			}))
			r.route(ir.Rule{Filters: []ir.Filter{
				auth(server), {Mirror: &ir.Mirror{Backend: copy, Numerator: 1, Denominator: 1}},
				{RequestHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-Edit", Value: "1"}}, Remove: []string{"sluice-detour-to", "X-Gone"}}},
				{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-Answered", Value: "1"}}}},
			}}, one)
			at := r.start()

			q, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+at+"/a/b?c=d", strings.NewReader("body"))
			q.Header.Set("X-Gone", "1")
			q.Header.Set("Sluice-Detour-Next", "elsewhere")
			q.Header.Set("Sluice-Detour-To", "elsewhere")
			q.Header.Set("Sluice-Detour-Peer", "10.0.0.1")
			denied := do(t, q)
			if denied.StatusCode != http.StatusUnauthorized || denied.Header.Get("Www-Authenticate") != "Basic" || denied.Header.Get("X-Answered") != "1" {
				t.Errorf("without credentials: %d %v", denied.StatusCode, denied.Header)
			}
			q.Header.Set("Authorization", "allow")
			q.Body = io.NopCloser(strings.NewReader("body"))
			answer := do(t, q)
			body, _ := io.ReadAll(answer.Body)
			if answer.StatusCode != http.StatusOK || string(body) != "body" || answer.Header.Get("X-Answered") != "1" {
				t.Errorf("with credentials: %d %q %v", answer.StatusCode, body, answer.Header)
			}
			if answer.Header.Get("Got-X-User") != "alice" || answer.Header.Get("Got-X-Edit") != "1" || answer.Header.Get("Got-X-Gone") != "" {
				t.Errorf("the backend got %v", answer.Header)
			}
			for name := range answer.Header {
				if strings.Contains(strings.ToLower(name), "sluice-detour") {
					t.Errorf("%s: %s is for HAProxy and its agent alone", name, answer.Header.Get(name))
				}
			}
			copied := <-copies
			if got := <-bodies; got != "body" || copied.Header.Get("X-Edit") != "1" || copied.URL.String() != "/a/b?c=d" {
				t.Errorf("the mirror got %q %v", got, copied.Header)
			}
			if got := copied.Header.Get("Cdn-Loop"); got != trail {
				t.Errorf("the mirror cannot be known again by %q", got)
			}
		})
	}
}

func do(t *testing.T, q *http.Request) *http.Response {
	t.Helper()
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}
