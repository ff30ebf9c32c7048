package haproxy_test

import (
	"fmt"
	"os/exec"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
	haproxytest "github.com/sluice-gateway/sluice/test/haproxy"
)

// BenchmarkOneEdit is how long it takes until one edit among 5,000 routes and as many
// backends is in force.
func BenchmarkOneEdit(b *testing.B) {
	r := newRig(b, dataplanes.Options{})
	r.Listen("http")
	r.secure(rig.FreePort(b), "tls", "a.example")
	addr, two := rig.Named(b, "one"), rig.Named(b, "two")
	for i := range 5000 {
		r.Route("http", fmt.Sprint("/", i), &ir.Rule{Backends: rig.To(r.Backend(fmt.Sprint("b", i), addr))})
	}
	r.Must()
	edit := func(with func(*ir.Rule, int)) func(*testing.B) {
		return func(b *testing.B) {
			b.Helper()
			for i := 0; b.Loop(); i++ {
				rule := *r.Unit.Proxy.Routes[2500].Rules[0]
				with(&rule, i)
				r.Unit.Proxy.Routes[2500] = rig.WithRule(r.Unit.Proxy.Routes[2500], &rule)
				r.Must()
			}
		}
	}
	b.Run("match", edit(func(rule *ir.Rule, i int) {
		rule.Matches = []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: fmt.Sprint("/changed", i)}}}
	}))
	b.Run("weight", edit(func(rule *ir.Rule, i int) {
		rule.Backends = rig.To(r.Unit.Proxy.Backends[2500].Key, r.Unit.Proxy.Backends[2501].Key)
		rule.Backends[0].Weight = i%100 + 1
	}))
	b.Run("endpoints", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			r.Endpoints(r.Unit.Proxy.Backends[2500].Key.EndpointsKey, []string{addr, two}[i%2])
			r.Must()
		}
	})
	b.Run("certificate", func(b *testing.B) {
		for b.Loop() {
			r.Unit.Proxy.Certificates = []*ir.Certificate{certificate(b, "tls", "a.example")}
			r.Must()
		}
	})
	b.Run("structure", edit(func(rule *ir.Rule, i int) {
		rule.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-I", Value: fmt.Sprint(i)}}}}}
	}))
	// What the last one is to be measured by: the same files, by hand.
	b.Run("by hand", func(b *testing.B) {
		program := haproxytest.Program(b)
		for b.Loop() {
			args := []string{"-c", "-C", r.child().Dir, "-f", "haproxy.cfg", "-f", "backends", "-f", "process.cfg"}
			if out, err := exec.CommandContext(b.Context(), program, args...).CombinedOutput(); err != nil { //nolint:gosec // The program under test.
				b.Fatalf("%v: %s", err, out)
			}
			if said, err := r.child().Master.Ask(b.Context(), "reload"); err != nil || said[:9] != "Success=1" {
				b.Fatal(said, err)
			}
		}
	})
}
