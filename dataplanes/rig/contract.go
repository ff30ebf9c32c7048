package rig

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	"github.com/sluice-gateway/sluice/ir"
)

// Contract is what every dataplane is held to.
func Contract(t *testing.T, plane dataplanes.Dataplane) {
	t.Helper()
	for _, clause := range []struct {
		name  string
		holds func(*Rig)
	}{
		{"an edit is in force with its outcome", editInForce},
		{"endpoints change", endpointsChange},
		{"the last wish counts", lastWish},
		{"a port that is taken", portTaken},
		{"two units want one port", onePortForTwo},
		{"a removal drains", removalDrains},
		{"a temporary directory with a long name", longTemporaryDirectory},
	} {
		t.Run(clause.name, func(t *testing.T) { clause.holds(New(t, plane, dataplanes.Options{})) })
	}
}

// editInForce is that what an outcome tells of is in force: the next request meets it.
func editInForce(r *Rig) {
	addr := r.Listen("http")
	one, two := r.Backend("one", Named(r.T, "one")), r.Backend("two", Named(r.T, "two"))
	rule := r.Route("http", "/", &ir.Rule{Backends: To(one)})
	r.Must()
	WantAnswer(r.T, addr, 200, "one")
	for i := range 20 {
		next := ir.Rule{Matches: rule.Matches, Origin: rule.Origin}
		next.Backends = To([]ir.BackendKey{two, one}[i%2])
		r.Unit.Proxy.Routes[0] = WithRule(r.Unit.Proxy.Routes[0], &next)
		r.Must()
		WantAnswer(r.T, addr, 200, []string{"two", "one"}[i%2])
	}
}

// endpointsChange by themselves, and with a backend that changes as well.
func endpointsChange(r *Rig) {
	addr := r.Listen("http")
	key := r.Backend("one")
	r.Route("http", "/", &ir.Rule{Backends: To(key)})
	r.Must()
	WantAnswer(r.T, addr, 503, "")
	r.Endpoints(key.EndpointsKey, Named(r.T, "a"))
	r.Must()
	WantAnswer(r.T, addr, 200, "a")
	r.Endpoints(key.EndpointsKey, Named(r.T, "b"))
	r.Must()
	WantAnswer(r.T, addr, 200, "b")
	r.Unit.Proxy.Backends[0] = &ir.Backend{Key: key, Ejection: &ir.Ejection{}}
	r.Must()
	WantAnswer(r.T, addr, 200, "b")
	r.Endpoints(key.EndpointsKey)
	r.Must()
	WantAnswer(r.T, addr, 503, "")
}

// lastWish is that of wishes that come while a proxy is busy the last one counts.
func lastWish(r *Rig) {
	addr := r.Listen("http")
	rule := r.Route("http", "/", &ir.Rule{})
	version := ""
	for i := range 50 {
		next := ir.Rule{Matches: rule.Matches, Origin: rule.Origin}
		next.Backends = To(r.Backend(fmt.Sprint("b", i), Named(r.T, fmt.Sprint(i))))
		r.Unit.Proxy.Routes[0] = WithRule(r.Unit.Proxy.Routes[0], &next)
		version = r.Send()
	}
	if out := r.Await(version); len(out.Problems) > 0 {
		r.T.Fatal(out.Problems)
	}
	WantAnswer(r.T, addr, 200, "49")
}

// portTaken is that a port that another program has is told of, and taken once it is
// free.
func portTaken(r *Rig) {
	r.Route("http", "/", &ir.Rule{Backends: To(r.Backend("one", Named(r.T, "one")))})
	taken, free := r.Listen("taken"), r.Listen("http")
	ln, err := net.Listen("tcp", taken)
	if err != nil {
		r.T.Fatal(err)
	}
	out := r.Apply()
	if len(out.Problems) != 1 || out.Problems[0].Origin.Section != "taken" ||
		!strings.Contains(out.Problems[0].Message, "cannot be bound at "+taken+": another program or another Gateway has it") {
		r.T.Fatalf("problems: %v", out.Problems)
	}
	WantAnswer(r.T, free, 200, "one")
	ln.Close()
	r.Until("no problem any more", func(o dataplanes.Outcome) bool { return len(o.Problems) == 0 })
	WantAnswer(r.T, taken, 404, "")
}

// onePortForTwo is that two units that want one port do not share it, though a proxy's
// sockets could.
func onePortForTwo(r *Rig) {
	addr := r.Listen("http")
	r.Route("http", "/", &ir.Rule{Backends: To(r.Backend("one", Named(r.T, "one")))})
	r.Must()
	other := NewUnit(ir.Object{Kind: "Gateway", Namespace: "infra", Name: "other"})
	other.Proxy.Listeners = r.Unit.Proxy.Listeners
	r.Local.Apply(dataplanes.Assignment{Unit: other, Version: "other", Address: Loopback})
	if out := r.Await("other"); len(out.Problems) != 1 || !strings.Contains(out.Problems[0].Message, "another Gateway has it") {
		r.T.Fatalf("problems: %v", out.Problems)
	}
	for range 20 {
		WantAnswer(r.T, addr, 200, "one")
	}
	r.Local.Remove(Gateway)
	r.Until("the other has it", func(o dataplanes.Outcome) bool { return o.Owner.Name == "other" && len(o.Problems) == 0 })
	WantAnswer(r.T, addr, 404, "")
}

// removalDrains is that a request that is under way when the unit is removed comes to
// its end, though nothing listens any more.
func removalDrains(r *Rig) {
	addr := r.Listen("http")
	started, finish := make(chan bool, 1), make(chan bool)
	r.Route("http", "/", &ir.Rule{Backends: To(r.Backend("one", Serve(r.T, func(w http.ResponseWriter, _ *http.Request) {
		started <- true
		<-finish
		fmt.Fprint(w, "late")
	})))})
	r.Must()
	done := make(chan string, 1)
	go func() {
		status, body, err := Try(r.T, addr)
		done <- fmt.Sprint(status, " ", body, " ", err)
	}()
	<-started
	r.Local.Remove(Gateway)
	wait.For(r.T, "nothing listens", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(finish)
	if got := <-done; got != "200 late <nil>" {
		r.T.Error(got)
	}
}

// longTemporaryDirectory is that a path that is too long for a socket is not used.
func longTemporaryDirectory(r *Rig) {
	long := filepath.Join(r.T.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(long, 0o700); err != nil {
		r.T.Fatal(err)
	}
	r.T.Setenv("TMPDIR", long)
	addr := r.Listen("http")
	r.Must()
	WantAnswer(r.T, addr, 404, "")
}
