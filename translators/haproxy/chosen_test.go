package haproxy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// TestListenersAreChosen holds whom connections and requests belong to against
// package order, for ports of random listeners.
func TestListenersAreChosen(t *testing.T) {
	certificates := []*ir.Certificate{issued(t, "one", "ec"), issued(t, "two", "rsa")}
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // It is to be the same each time.
			listeners := randomListeners(r, certificates)
			at := serveDoor(t, doored(t, ir.Settings{}, certificates, listeners...))
			for range 40 {
				k := knock{sni: randomName(r), host: randomName(r)}
				if r.IntN(2) == 0 {
					k.host = k.sni
				}
				got, err := k.answered(t, at)
				if want := expected(listeners, k); !want(got, err) {
					t.Errorf("%v: %q for %q is answered %q, %v", hostnamesOf(listeners), k.sni, k.host, got, err)
				}
			}
		})
	}
}

var (
	randomLabels    = []string{"a", "b", "c", "example", "org"}
	randomHostnames = []string{"*", "*.example", "*.b.example", "*.a.b.example", "a.example", "b.example", "a.b.example", "c.a.b.example", "*.org", "b.org"}
)

func randomName(r *rand.Rand) string {
	labels := []string{"example"}
	if r.IntN(4) == 0 {
		labels[0] = "org"
	}
	for range 1 + r.IntN(3) {
		labels = append(labels, randomLabels[r.IntN(3)])
	}
	slices.Reverse(labels)
	return strings.Join(labels, ".")
}

func randomListeners(r *rand.Rand, certificates []*ir.Certificate) []*ir.Listener {
	var all []*ir.Listener
	for _, hostname := range randomHostnames {
		if r.IntN(2) == 0 {
			continue
		}
		l := secure(hostname, certificates[r.IntN(len(certificates))])
		if r.IntN(5) == 0 {
			l.Refused, l.TLS = "a reason", nil
		}
		all = append(all, l)
	}
	return all
}

func hostnamesOf(listeners []*ir.Listener) []string {
	var all []string
	for _, l := range listeners {
		all = append(all, l.Hostname+" "+l.Refused)
	}
	return all
}

// expected says whether an answer is the right one.
func expected(listeners []*ir.Listener, k knock) func(got string, err error) bool {
	bySNI := order.Select(listeners, k.sni)
	closed := func(_ string, err error) bool { return err != nil }
	if bySNI == nil || bySNI.Refused != "" {
		return closed
	}
	if strings.HasPrefix(bySNI.Hostname, "*.") && parent(k.sni) != bySNI.Hostname {
		// HAProxy's wildcards cover one label.
		return closed
	}
	want := " 404"
	l, verdict := order.Choose(listeners, k.sni, k.host)
	switch verdict {
	case order.Served:
		want = " 302 " + strings.ReplaceAll(l.Hostname, "*", "any")
	case order.Misdirected:
		want = " 421"
	}
	return func(got string, err error) bool { return err == nil && strings.HasSuffix(got, want) }
}
