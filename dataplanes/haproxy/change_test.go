package haproxy_test

import (
	"crypto/tls"
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
)

// Endpoints, weights, matches and certificates are changed without a reload: the same
// worker serves.
func TestWhatChangesOftenTakesNoReload(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	port := rig.FreePort(t)
	r.secure(port, "tls", "a.example")
	names := []string{rig.Named(t, "a"), rig.Named(t, "b"), rig.Named(t, "c")}
	one, two := r.Backend("one", names[0]), r.Backend("two", names[1])
	both := r.Route("http", "/both", &ir.Rule{Backends: rig.To(one, two)})
	r.Route("http", "/one", &ir.Rule{Backends: rig.To(one)})
	r.Route("http", "/two", &ir.Rule{Backends: rig.To(two)})
	r.Must()
	worker := r.worker()
	for i := range 250 {
		r.Endpoints(one.EndpointsKey, names[i%3], names[(i+1)%3])
		r.Must()

		rule := *both
		rule.Backends = rig.To(one, two)
		rule.Backends[i%2].Weight = 0
		rule.Matches = []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: fmt.Sprint("/both", i)}}}
		r.Unit.Proxy.Routes[0] = rig.WithRule(r.Unit.Proxy.Routes[0], &rule)
		r.Must()
		rig.WantAnswer(t, fmt.Sprint(addr, "/both", i), 200, "")
		rig.WantAnswer(t, fmt.Sprint(addr, "/both", i-1), 404, "")

		fresh := certificate(t, "tls", "a.example")
		r.Unit.Proxy.Certificates = []*ir.Certificate{fresh}
		r.Must()
		if got := serialAt(t, port, "a.example"); got != serial {
			t.Fatalf("certificate %d is served, want %d", got, serial)
		}
		r.Endpoints(two.EndpointsKey, names[i%3])
		r.Must()
		rig.WantAnswer(t, addr+"/two", 200, string("abc"[i%3]))
		if now := r.worker(); now != worker {
			t.Fatalf("round %d: worker %d has taken the place of %d", i, now, worker)
		}
	}
}

func serialAt(t *testing.T, port uint16, name string) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", fmt.Sprint("127.0.0.1:", port), &tls.Config{ServerName: name, InsecureSkipVerify: true}) //nolint:gosec // It asks who answers.
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// A filter that nobody has yet is structure, and takes one reload; to go back to what
// was there a moment ago takes none.
func TestStructureTakesOneReload(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	rule := r.Route("http", "/", &ir.Rule{Backends: rig.To(r.Backend("one", rig.Named(t, "one")))})
	r.Must()
	first := r.worker()
	more := *rule
	more.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-One", Value: "1"}}}}}
	r.Unit.Proxy.Routes[0] = rig.WithRule(r.Unit.Proxy.Routes[0], &more)
	r.Must()
	second := r.worker()
	if first == second {
		t.Fatal("the same worker serves what it did not know")
	}
	for i := range 4 {
		r.Unit.Proxy.Routes[0] = rig.WithRule(r.Unit.Proxy.Routes[0], []*ir.Rule{rule, &more}[i%2])
		r.Must()
		rig.WantAnswer(t, addr, 200, "one")
	}
	if now := r.worker(); now != second {
		t.Errorf("worker %d has taken the place of %d", now, second)
	}
	if said, err := r.child().Master.Ask(t.Context(), "show proc"); err != nil {
		t.Error(err, said)
	}
}
