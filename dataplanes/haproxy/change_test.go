package haproxy_test

import (
	"crypto/tls"
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
)

// Endpoints, weights, matches and certificates are changed without a reload: the same
// worker serves.
func TestWhatChangesOftenTakesNoReload(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.listen("http")
	port := freePort(t)
	r.secure(port, "tls", "a.example")
	names := []string{named(t, "a"), named(t, "b"), named(t, "c")}
	one, two := r.backend("one", names[0]), r.backend("two", names[1])
	both := r.route("http", "/both", &ir.Rule{Backends: to(one, two)})
	r.route("http", "/one", &ir.Rule{Backends: to(one)})
	r.route("http", "/two", &ir.Rule{Backends: to(two)})
	r.must()
	worker := r.worker()
	for i := range 250 {
		r.endpoints(one.EndpointsKey, names[i%3], names[(i+1)%3])
		r.must()

		rule := *both
		rule.Backends = to(one, two)
		rule.Backends[i%2].Weight = 0
		rule.Matches = []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: fmt.Sprint("/both", i)}}}
		r.unit.Proxy.Routes[0] = withRule(r.unit.Proxy.Routes[0], &rule)
		r.must()
		wantAnswer(t, fmt.Sprint(addr, "/both", i), 200, "")
		wantAnswer(t, fmt.Sprint(addr, "/both", i-1), 404, "")

		fresh := certificate(t, "tls", "a.example")
		r.unit.Proxy.Certificates = []*ir.Certificate{fresh}
		r.must()
		if got := serialAt(t, port, "a.example"); got != serial {
			t.Fatalf("certificate %d is served, want %d", got, serial)
		}
		r.endpoints(two.EndpointsKey, names[i%3])
		r.must()
		wantAnswer(t, addr+"/two", 200, string("abc"[i%3]))
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
	addr := r.listen("http")
	rule := r.route("http", "/", &ir.Rule{Backends: to(r.backend("one", named(t, "one")))})
	r.must()
	first := r.worker()
	more := *rule
	more.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-One", Value: "1"}}}}}
	r.unit.Proxy.Routes[0] = withRule(r.unit.Proxy.Routes[0], &more)
	r.must()
	second := r.worker()
	if first == second {
		t.Fatal("the same worker serves what it did not know")
	}
	for i := range 4 {
		r.unit.Proxy.Routes[0] = withRule(r.unit.Proxy.Routes[0], []*ir.Rule{rule, &more}[i%2])
		r.must()
		wantAnswer(t, addr, 200, "one")
	}
	if now := r.worker(); now != second {
		t.Errorf("worker %d has taken the place of %d", now, second)
	}
	if said, err := r.child().Master.Ask(t.Context(), "show proc"); err != nil {
		t.Error(err, said)
	}
}
