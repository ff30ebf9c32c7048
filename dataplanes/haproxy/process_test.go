package haproxy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	"github.com/sluice-gateway/sluice/ir"
	haproxytest "github.com/sluice-gateway/sluice/test/haproxy"
)

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

// Two units that want one port do not share it, though HAProxy's sockets could.
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

// kill ends a process as nothing else can.
func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// A HAProxy that ends, the worker or its master, is started again with what was in
// force: changes that were told to the worker alone too.
func TestHAProxyEndsByItself(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.listen("http")
	one := r.backend("one", named(t, "one"))
	r.route("http", "/", &ir.Rule{Backends: to(one)})
	r.must()
	r.endpoints(one.EndpointsKey, named(t, "two"))
	r.must()
	for what, pid := range map[string]func() int{"worker": r.worker, "master": func() int { return r.child().PID }} {
		kill(t, pid())
		r.until("that the "+what+" ended", func(o dataplanes.Outcome) bool {
			return o.Down && len(o.Problems) == 1 && strings.Contains(o.Problems[0].Message, "HAProxy has ended (")
		})
		r.until("that it serves again", func(o dataplanes.Outcome) bool { return len(o.Problems) == 0 && o.Version == "2" && !o.Down })
		wantAnswer(t, addr, 200, "two")
	}
}

// Looking for endpoints that are left out does not keep HAProxy from its end: each look
// is a connection of its own, and of several backends one is always under way.
func TestStopWhileEndpointsAreLookedFor(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.listen("http")
	r.unit.Proxy.Settings.Timeouts.Drain = ir.Duration(time.Hour)
	var paths []string
	for i := range 8 {
		name := fmt.Sprint("gone", i)
		gone := r.backend(name, refusing(t))
		r.unit.Proxy.Backends[i].Ejection = &ir.Ejection{Failures: 1, BaseTime: ir.Duration(time.Hour), MaxTime: ir.Duration(time.Hour), MaxPercent: 100}
		r.route("http", "/"+name, &ir.Rule{Backends: to(gone)})
		paths = append(paths, "/"+name)
	}
	r.must()
	var asked sync.WaitGroup
	for _, path := range paths {
		asked.Go(func() {
			if status, _, err := try(t, addr+path); err != nil || status != 503 {
				t.Errorf("%s: %d, %v; want 503", path, status, err)
			}
		})
	}
	asked.Wait()
	worker := r.worker()
	defer func() {
		if t.Failed() {
			kill(t, worker)
		}
	}()
	r.stop()
	wait.For(t, "the worker has ended", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/%d", worker))
		return err != nil
	})
}

// The end of all closes Outcomes, and leaves neither process nor directory.
func TestStop(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	r := newRig(t, dataplanes.Options{})
	r.listen("http")
	r.must()
	pid := r.child().PID
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

// Without HAProxy, or with another one, every listener says what to do; it is served
// once HAProxy is there.
func TestHAProxyIsMissing(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.listen("http")
	real := os.Getenv("SLUICE_HAPROXY")
	if real == "" {
		real, _ = exec.LookPath("haproxy")
	}
	dir := t.TempDir()
	for name, c := range map[string]struct{ program, want string }{
		"missing": {"", "set it to the path of HAProxy 3.0"},
		"older":   {"#!/bin/sh\necho HAProxy version 2.6.12-1 2026/10/17\n", `is version "2.6.12-1": HAProxy 3.0 or newer is wanted`},
		"another": {"#!/bin/sh\n", `is no HAProxy, its -v says "": HAProxy 3.0 or newer is wanted`},
		"foreign": {"\x7fELF no program", "is no program for this machine"},
	} {
		path := filepath.Join(dir, name)
		if c.program != "" {
			if err := os.WriteFile(path, []byte(c.program), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("SLUICE_HAPROXY", path)
		if out := r.apply(); len(out.Problems) != 1 || out.Problems[0].Origin.Section != "http" || !strings.Contains(out.Problems[0].Message, c.want) {
			t.Errorf("%s: problems %v, want %q", name, out.Problems, c.want)
		}
	}
	t.Setenv("SLUICE_HAPROXY", real)
	awaitAnswer(t, addr, 404)
}

// What makes HAProxy end each time is told of, and it is tried again.
func TestHAProxyEndsEachTime(t *testing.T) {
	dir := t.TempDir()
	program, broken := filepath.Join(dir, "haproxy"), filepath.Join(dir, "broken")
	real := haproxytest.Program(t)
	script := fmt.Sprintf("#!/bin/sh\n[ -e %s ] && [ \"$1\" = -W ] && { echo '[ALERT]    (1) : config : it is broken' >&2; exit 3; }\nexec %s \"$@\"\n", broken, real)
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil { //nolint:gosec // It is to be run.
		t.Fatal(err)
	}
	t.Setenv("SLUICE_HAPROXY", program)
	r := newRig(t, dataplanes.Options{})
	addr := r.listen("http")
	r.must()
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	kill(t, r.child().PID)
	r.until("that it ends", func(o dataplanes.Outcome) bool {
		return o.Down && len(o.Problems) == 1 && strings.Contains(o.Problems[0].Message, "it is broken")
	})
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	r.until("that it serves", func(o dataplanes.Outcome) bool { return len(o.Problems) == 0 })
	wantAnswer(t, addr, 404, "")
}

// Who is about to end asks its clients to go, and lets new ones in; a reload changes
// nothing of that.
func TestLeaving(t *testing.T) {
	leaving := make(chan struct{})
	r := newRig(t, dataplanes.Options{Leaving: leaving})
	addr := r.listen("http")
	rule := r.route("http", "/", &ir.Rule{Backends: to(r.backend("one", named(t, "one")))})
	r.must()
	asked := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Fatal(response.Status)
		}
		return response.Close
	}
	if asked() {
		t.Fatal("clients are asked to go")
	}
	close(leaving)
	wait.For(t, "clients are asked to go", asked)
	more := *rule
	more.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-One", Value: "1"}}}}}
	r.unit.Proxy.Routes[0] = withRule(r.unit.Proxy.Routes[0], &more)
	r.must()
	if !asked() {
		t.Error("clients are not asked to go any more")
	}
}

// HTTP/2 has no field that ends a connection: it is told to go by a frame.
func TestLeavingOverHTTP2(t *testing.T) {
	leaving := make(chan struct{})
	r := newRig(t, dataplanes.Options{Leaving: leaving})
	port := freePort(t)
	r.secure(port, "http", "a.example")
	r.route("http", "/", &ir.Rule{Backends: to(r.backend("one", named(t, "one")))})
	r.unit.Proxy.Routes[0].Attachments[0].Hostnames = []string{"a.example"}
	r.must()
	var dials atomic.Int64
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		dials.Add(1)
		dialer := tls.Dialer{Config: &tls.Config{ServerName: "a.example", InsecureSkipVerify: true, NextProtos: []string{"h2"}}} //nolint:gosec // It asks who answers.
		return dialer.DialContext(ctx, "tcp", fmt.Sprint("127.0.0.1:", port))
	}}}
	defer client.CloseIdleConnections()
	ask := func() {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://a.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK || response.ProtoMajor != 2 {
			t.Fatal(response, err)
		}
	}
	for range 5 {
		ask()
	}
	if n := dials.Load(); n != 1 {
		t.Fatalf("%d connections, want 1", n)
	}
	close(leaving)
	wait.For(t, "requests need new connections", func() bool {
		before := dials.Load()
		ask()
		ask()
		return dials.Load() >= before+1
	})
}
