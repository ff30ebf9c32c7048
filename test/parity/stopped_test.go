package parity

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/haproxy"
	"github.com/sluice-gateway/sluice/operator/source/dir/schema"
	haproxytest "github.com/sluice-gateway/sluice/test/haproxy"
)

// needAgent are the cases that HAProxy's agent has a part in, and which. Everything
// else must be served while the agent does nothing at all.
var needAgent = map[string]string{
	"auth/":                            "it asks authorization servers",
	"mirror/":                          "it sends the copies",
	"grpc/mirror":                      "it sends the copies",
	"retry/behind-a-mirror":            "it sends the copies",
	"backend/filters-on-backend":       "a backend has a mirror and an authorization server",
	"cors/order-and-errors":            "a rule has an authorization server",
	"l4/udp":                           "it carries datagrams",
	"http3/udp-listener":               "it carries datagrams",
	"balancing/consistent-hash-client": "it carries datagrams",
	"backendtls/sans":                  "it verifies names that HAProxy cannot",
	"backendtls/wildcard-san":          "it verifies names that HAProxy cannot",
}

func needsAgent(name string) bool {
	for prefix := range needAgent {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// TestStoppedAgent plays the cases with a HAProxy whose agent is stopped (SIGSTOP)
// while requests are made, and goes on only for what changes the unit.
func TestStoppedAgent(t *testing.T) {
	if !strings.Contains(*planes, "haproxy") {
		t.Skip("HAProxy is not among -dataplanes")
	}
	haproxytest.Program(t)
	cases, err := Load(".")
	if err != nil {
		t.Fatal(err)
	}
	catalog := schema.NewCatalog()
	for _, c := range append(cases, flooded(cases)...) {
		if !strings.Contains(c.Name, *only) || needsAgent(c.Name) {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			plane := &apart{Dataplane: haproxy.Dataplane{}}
			if err := c.Run(t.Context(), Bench{Dataplane: plane, Catalog: catalog, Agent: plane}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// flooded has more requests come than anything keeps that the agent would read: lines
// of the log, words of HAProxy's.
func flooded(cases []*Case) []*Case {
	var all []*Case
	for _, c := range cases {
		if c.Name != "http/methods" {
			continue
		}
		many := *c
		many.Name += "/many"
		many.Steps = []Step{{Name: "many", Request: &Request{Times: 5000, Concurrency: 8}, Expect: Expect{Status: 200}}}
		all = append(all, &many)
	}
	return all
}

// TestAgentIsNeeded keeps the list of cases that need the agent from growing old.
func TestAgentIsNeeded(t *testing.T) {
	cases, err := Load(".")
	if err != nil {
		t.Fatal(err)
	}
	for prefix := range needAgent {
		found := false
		for _, c := range cases {
			found = found || strings.HasPrefix(c.Name, prefix)
		}
		if !found {
			t.Errorf("no case begins with %q", prefix)
		}
	}
}
