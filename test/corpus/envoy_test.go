package corpus

import (
	"net/netip"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
	envoytest "github.com/sluice-gateway/sluice/test/envoy"
	"github.com/sluice-gateway/sluice/translators/envoy"
)

// forEnvoy translates a unit as for a pod.
func forEnvoy(u *ir.Unit) *envoy.Config {
	return envoy.Translate(u, envoy.Target{Address: netip.IPv4Unspecified(), SystemCAs: envoy.UsualCAs}, nil)
}

func resourcesOf(c *envoy.Config) []*envoy.Resource {
	var all []*envoy.Resource
	for _, kind := range [][]*envoy.Resource{c.Listeners, c.Routes, c.Clusters, c.Endpoints, c.Secrets, c.Filters} {
		all = append(all, kind...)
	}
	return all
}

// TestEnvoyKeepsToItsRules holds every message of every case to the rules that
// Envoy's definitions state.
func TestEnvoyKeepsToItsRules(t *testing.T) {
	for _, g := range corpus(t) {
		t.Run(g.path, func(t *testing.T) {
			t.Parallel()
			w := newWorld(g.features(t))
			w.apply(g.objects...)
			for _, u := range w.units() {
				for _, r := range resourcesOf(forEnvoy(u)) {
					if err := envoytest.Check(r.Message); err != nil {
						t.Errorf("%s: %v", r.Name, err)
					}
				}
			}
		})
	}
}

// TestEnvoyAcceptsTheCorpus has the real Envoy read every case.
func TestEnvoyAcceptsTheCorpus(t *testing.T) {
	envoytest.Program(t)
	var sets []envoytest.Set
	for _, g := range corpus(t) {
		w := newWorld(g.features(t))
		w.apply(g.objects...)
		for _, u := range w.units() {
			set := envoytest.Set{Name: g.path + " " + u.Proxy.Owner.Name}
			for _, r := range resourcesOf(forEnvoy(u)) {
				set.Resources = append(set.Resources, r.Message)
			}
			sets = append(sets, set)
		}
	}
	envoytest.Validate(t, envoy.Runtime(), sets...)
}
