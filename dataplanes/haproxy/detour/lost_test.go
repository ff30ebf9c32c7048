package detour_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// TestSectionIsGone has a reload take away the section that a request was to go on
// with, while it was with the agent: the rule has another now.
func TestSectionIsGone(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(string(protocol), func(t *testing.T) {
			r := newRig(t)
			one := r.backend(protocol, http.HandlerFunc(echo))
			server := r.backend(ir.BackendHTTP1, http.HandlerFunc(vouches))
			r.route(ir.Rule{Filters: []ir.Filter{auth(server)}}, one)
			r.told = func(d *translator.Detours) {
				now, before := *d.HTTP[0], *d.HTTP[0]
				now.Name = "detour_other"
				before.Next = before.Next[:strings.LastIndexByte(before.Next, '_')] + "_gone"
				d.HTTP = []*translator.Detour{&before, &now}
			}
			at := r.start()
			if answer := do(t, post(t, at, nil)); answer.StatusCode != http.StatusOK {
				t.Errorf("what can be sent again: %d", answer.StatusCode)
			}
			if answer := do(t, post(t, at, strings.NewReader("body"))); answer.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("what cannot: %d", answer.StatusCode)
			}
		})
	}
}

// TestNobodyBehindADetour has HAProxy itself answer what has passed the agent, as it
// answers whatever has not.
func TestNobodyBehindADetour(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(string(protocol), func(t *testing.T) {
			r := newRig(t)
			one := r.backend(protocol, http.HandlerFunc(echo))
			server := r.backend(ir.BackendHTTP1, http.HandlerFunc(vouches))
			r.unit.Endpoints[0].Endpoints = nil
			r.route(ir.Rule{Filters: []ir.Filter{auth(server)}}, one)
			at := r.start()
			plain := do(t, post(t, at, nil))
			if body, _ := io.ReadAll(plain.Body); plain.StatusCode != http.StatusServiceUnavailable || strings.TrimSpace(string(body)) != "Service Unavailable" {
				t.Errorf("got %d %q", plain.StatusCode, body)
			}
			q := post(t, at, nil)
			q.Header.Set("Content-Type", "application/grpc")
			answer, err := h2c(t).Do(q)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if got := answer.Header.Get("Grpc-Status"); answer.StatusCode != http.StatusOK || got != "14" {
				t.Errorf("gRPC got %d %v", answer.StatusCode, answer.Header)
			}
		})
	}
}
