package envoy_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/envoy"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	envoytest "github.com/sluice-gateway/sluice/test/envoy"

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

// Of wishes that come while Envoy is busy the last one counts.
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

// A port that another program has is told of, and taken once it is free.
func TestAPortThatIsTaken(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	r.route("http", "/", &ir.Rule{Backends: to(r.backend("one", named(t, "one")))})
	taken, free := r.listen("taken"), r.listen("http")
	ln, err := net.Listen("tcp", taken)
	if err != nil {
		t.Fatal(err)
	}
	out := r.apply()
	if len(out.Problems) != 1 || out.Problems[0].Origin.Section != "taken" ||
		!strings.Contains(out.Problems[0].Message, "cannot be bound at "+taken+": another program or another Gateway has it") {
		t.Fatalf("problems: %v", out.Problems)
	}
	wantAnswer(t, free, 200, "one")
	ln.Close()
	r.until("no problem any more", func(o dataplanes.Outcome) bool { return len(o.Problems) == 0 })
	wantAnswer(t, taken, 404, "")
}

// Two units that want one port do not share it, though Envoy's sockets could.
func TestTwoUnitsWantOnePort(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.listen("http")
	r.route("http", "/", &ir.Rule{Backends: to(r.backend("one", named(t, "one")))})
	r.must()
	other := newUnit(ir.Object{Kind: "Gateway", Namespace: "infra", Name: "other"})
	other.Proxy.Listeners = r.unit.Proxy.Listeners
	r.local.Apply(dataplanes.Assignment{Unit: other, Version: "other", Address: loopback})
	if out := r.await("other"); len(out.Problems) != 1 || !strings.Contains(out.Problems[0].Message, "another Gateway has it") {
		t.Fatalf("problems: %v", out.Problems)
	}
	for range 20 {
		wantAnswer(t, addr, 200, "one")
	}
	r.local.Remove(gateway)
	r.until("the other has it", func(o dataplanes.Outcome) bool { return o.Owner.Name == "other" && len(o.Problems) == 0 })
	wantAnswer(t, addr, 404, "")
}

// An Envoy that ends is started again with what was in force.
func TestEnvoyEndsByItself(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.listen("http")
	r.route("http", "/", &ir.Rule{Backends: to(r.backend("one", named(t, "one")))})
	r.must()
	r.kill()
	r.until("that it ended", func(o dataplanes.Outcome) bool {
		return len(o.Problems) == 1 && strings.Contains(o.Problems[0].Message, "Envoy has ended (signal: killed)")
	})
	r.until("that it serves again", func(o dataplanes.Outcome) bool { return len(o.Problems) == 0 && o.Version == "1" })
	wantAnswer(t, addr, 200, "one")
}

// kill ends the one Envoy of the rig.
func (r *rig) kill() {
	r.t.Helper()
	process, err := os.FindProcess(r.pid())
	if err != nil {
		r.t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		r.t.Fatal(err)
	}
}

// pid returns the one Envoy of the rig.
func (r *rig) pid() int {
	r.t.Helper()
	for _, child := range r.local.(interface{ Children() []envoy.Child }).Children() {
		return child.PID
	}
	r.t.Fatal("no Envoy runs")
	return 0
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

// The end of all closes Outcomes, and leaves neither process nor directory.
func TestStop(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	r := newRig(t, dataplanes.Options{})
	r.listen("http")
	r.must()
	pid := r.pid()
	r.stop()
	for range r.outcomes { //nolint:revive // Until it is closed.
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		t.Errorf("process %d is there", pid)
	}
	if left, _ := filepath.Glob(tmp + "/*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A path that is too long for a socket is not used.
func TestLongTemporaryDirectory(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	r := newRig(t, dataplanes.Options{})
	addr := r.listen("http")
	r.must()
	wantAnswer(t, addr, 404, "")
}

// Without Envoy, or with another one, every listener says what to do; it is served
// once Envoy is there.
func TestEnvoyIsMissing(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.listen("http")
	real := os.Getenv("SLUICE_ENVOY")
	if real == "" {
		real, _ = exec.LookPath("envoy")
	}
	dir := t.TempDir()
	for name, c := range map[string]struct{ program, want string }{
		"missing": {"", "set it to the path of Envoy 1.40"},
		"older":   {"#!/bin/sh\necho envoy  version: abc/1.20.1/Clean/RELEASE/BoringSSL\n", `is version "1.20.1": Envoy 1.40 is wanted`},
		"foreign": {"\x7fELF no program", "is no program for this machine"},
	} {
		path := filepath.Join(dir, name)
		if c.program != "" {
			if err := os.WriteFile(path, []byte(c.program), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("SLUICE_ENVOY", path)
		if out := r.apply(); len(out.Problems) != 1 || out.Problems[0].Origin.Section != "http" || !strings.Contains(out.Problems[0].Message, c.want) {
			t.Errorf("%s: problems %v, want %q", name, out.Problems, c.want)
		}
	}
	t.Setenv("SLUICE_ENVOY", real)
	awaitAnswer(t, addr, 404)
}

// What makes Envoy end each time is told of, and what was in force before is again.
func TestEnvoyEndsEachTime(t *testing.T) {
	dir := t.TempDir()
	program, broken := filepath.Join(dir, "envoy"), filepath.Join(dir, "broken")
	real := envoytest.Program(t)
	script := fmt.Sprintf("#!/bin/sh\n[ -e %s ] && [ \"$1\" != --version ] && { echo '[critical] it is broken' >&2; exit 3; }\nexec %s \"$@\"\n", broken, real)
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SLUICE_ENVOY", program)
	r := newRig(t, dataplanes.Options{})
	addr := r.listen("http")
	r.must()
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.kill()
	r.until("that it ends", func(o dataplanes.Outcome) bool {
		return len(o.Problems) == 1 && strings.Contains(o.Problems[0].Message, "it is broken")
	})
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	r.until("that it serves", func(o dataplanes.Outcome) bool { return len(o.Problems) == 0 })
	wantAnswer(t, addr, 404, "")
}
