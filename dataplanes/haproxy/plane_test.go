package haproxy_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/haproxy"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	"github.com/sluice-gateway/sluice/ir"
)

// What an outcome tells of is in force: the next request meets it.
func TestAnEditIsInForceWithItsOutcome(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.listen("http")
	one, two := r.backend("one", named(t, "one")), r.backend("two", named(t, "two"))
	rule := r.route("http", "/", &ir.Rule{Backends: to(one)})
	r.must()
	wantAnswer(t, addr, 200, "one")
	for i := range 20 {
		next := ir.Rule{Matches: rule.Matches, Origin: rule.Origin}
		next.Backends = to([]ir.BackendKey{two, one}[i%2])
		r.unit.Proxy.Routes[0] = withRule(r.unit.Proxy.Routes[0], &next)
		r.must()
		wantAnswer(t, addr, 200, []string{"two", "one"}[i%2])
	}
}

func withRule(route *ir.Route, rule *ir.Rule) *ir.Route {
	next := *route
	next.Rules = []*ir.Rule{rule}
	return &next
}

// child returns the one HAProxy of the rig.
func (r *rig) child() haproxy.Child {
	r.t.Helper()
	for _, child := range r.local.(interface{ Children() []haproxy.Child }).Children() {
		return child
	}
	r.t.Fatal("no HAProxy runs")
	return haproxy.Child{}
}

// worker returns the process that serves.
func (r *rig) worker() int {
	r.t.Helper()
	said, err := r.child().Admin.Ask(context.Background(), "show info")
	if err != nil {
		r.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(said, "\nPid: ")
	number, _, _ := strings.Cut(rest, "\n")
	pid, err := strconv.Atoi(number)
	if err != nil {
		r.t.Fatal(err)
	}
	return pid
}

// Endpoints come and go by themselves, and with a backend that changes as well.
func TestEndpointsChange(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.listen("http")
	key := r.backend("one")
	r.route("http", "/", &ir.Rule{Backends: to(key)})
	r.must()
	wantAnswer(t, addr, 503, "")
	r.endpoints(key.EndpointsKey, named(t, "a"))
	r.must()
	wantAnswer(t, addr, 200, "a")
	r.endpoints(key.EndpointsKey, named(t, "b"))
	r.must()
	wantAnswer(t, addr, 200, "b")
	r.unit.Proxy.Backends[0] = &ir.Backend{Key: key, Ejection: &ir.Ejection{}}
	r.must()
	wantAnswer(t, addr, 200, "b")
	r.endpoints(key.EndpointsKey)
	r.must()
	wantAnswer(t, addr, 503, "")
}

// Of wishes that come while HAProxy is busy the last one counts.
func TestTheLastWishCounts(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.listen("http")
	rule := r.route("http", "/", &ir.Rule{})
	version := ""
	for i := range 50 {
		next := ir.Rule{Matches: rule.Matches, Origin: rule.Origin}
		next.Backends = to(r.backend(fmt.Sprint("b", i), named(t, fmt.Sprint(i))))
		r.unit.Proxy.Routes[0] = withRule(r.unit.Proxy.Routes[0], &next)
		version = r.send()
	}
	if out := r.await(version); len(out.Problems) > 0 {
		t.Fatal(out.Problems)
	}
	wantAnswer(t, addr, 200, "49")
}

// A request that is under way when the unit is removed comes to its end, though
// nothing listens any more.
func TestRemovalDrains(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.listen("http")
	started, finish := make(chan bool, 1), make(chan bool)
	r.route("http", "/", &ir.Rule{Backends: to(r.backend("one", serve(t, func(w http.ResponseWriter, _ *http.Request) {
		started <- true
		<-finish
		fmt.Fprint(w, "late")
	})))})
	r.must()
	done := make(chan string, 1)
	go func() {
		status, body, err := try(t, addr)
		done <- fmt.Sprint(status, " ", body, " ", err)
	}()
	<-started
	r.local.Remove(gateway)
	wait.For(t, "nothing listens", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(finish)
	if got := <-done; got != "200 late <nil>" {
		t.Error(got)
	}
}
