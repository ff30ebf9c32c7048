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
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
	haproxytest "github.com/sluice-gateway/sluice/test/haproxy"
)

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
	addr := r.Listen("http")
	one := r.Backend("one", rig.Named(t, "one"))
	r.Route("http", "/", &ir.Rule{Backends: rig.To(one)})
	r.Must()
	r.Endpoints(one.EndpointsKey, rig.Named(t, "two"))
	r.Must()
	for what, pid := range map[string]func() int{"worker": r.worker, "master": func() int { return r.child().PID }} {
		kill(t, pid())
		r.Until("that the "+what+" ended", func(o dataplanes.Outcome) bool {
			return o.Down && len(o.Problems) == 1 && strings.Contains(o.Problems[0].Message, "HAProxy has ended (")
		})
		r.Until("that it serves again", func(o dataplanes.Outcome) bool { return len(o.Problems) == 0 && o.Version == "2" && !o.Down })
		rig.WantAnswer(t, addr, 200, "two")
	}
}

// Looking for endpoints that are left out does not keep HAProxy from its end: each look
// is a connection of its own, and of several backends one is always under way.
func TestStopWhileEndpointsAreLookedFor(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	r.Unit.Proxy.Settings.Timeouts.Drain = ir.Duration(time.Hour)
	var paths []string
	for i := range 8 {
		name := fmt.Sprint("gone", i)
		gone := r.Backend(name, rig.Refusing(t))
		r.Unit.Proxy.Backends[i].Ejection = &ir.Ejection{Failures: 1, BaseTime: ir.Duration(time.Hour), MaxTime: ir.Duration(time.Hour), MaxPercent: 100}
		r.Route("http", "/"+name, &ir.Rule{Backends: rig.To(gone)})
		paths = append(paths, "/"+name)
	}
	r.Must()
	var asked sync.WaitGroup
	for _, path := range paths {
		asked.Go(func() {
			if status, _, err := rig.Try(t, addr+path); err != nil || status != 503 {
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
	r.Stop()
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
	r.Listen("http")
	r.Must()
	pid := r.child().PID
	r.Stop()
	for range r.Outcomes { //nolint:revive // Until it is closed.
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		t.Errorf("process %d is there", pid)
	}
	if left, _ := filepath.Glob(tmp + "/*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// Without HAProxy, or with another one, every listener says what to do; it is served
// once HAProxy is there.
func TestHAProxyIsMissing(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
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
		if out := r.Apply(); len(out.Problems) != 1 || out.Problems[0].Origin.Section != "http" || !strings.Contains(out.Problems[0].Message, c.want) {
			t.Errorf("%s: problems %v, want %q", name, out.Problems, c.want)
		}
	}
	t.Setenv("SLUICE_HAPROXY", real)
	rig.AwaitAnswer(t, addr, 404)
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
	addr := r.Listen("http")
	r.Must()
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	kill(t, r.child().PID)
	r.Until("that it ends", func(o dataplanes.Outcome) bool {
		return o.Down && len(o.Problems) == 1 && strings.Contains(o.Problems[0].Message, "it is broken")
	})
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	r.Until("that it serves", func(o dataplanes.Outcome) bool { return len(o.Problems) == 0 })
	rig.WantAnswer(t, addr, 404, "")
}

// Who is about to end asks its clients to go, and lets new ones in; a reload changes
// nothing of that.
func TestLeaving(t *testing.T) {
	leaving := make(chan struct{})
	r := newRig(t, dataplanes.Options{Leaving: leaving})
	addr := r.Listen("http")
	rule := r.Route("http", "/", &ir.Rule{Backends: rig.To(r.Backend("one", rig.Named(t, "one")))})
	r.Must()
	asked := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
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
	r.Unit.Proxy.Routes[0] = rig.WithRule(r.Unit.Proxy.Routes[0], &more)
	r.Must()
	if !asked() {
		t.Error("clients are not asked to go any more")
	}
}

// HTTP/2 has no field that ends a connection: it is told to go by a frame.
func TestLeavingOverHTTP2(t *testing.T) {
	leaving := make(chan struct{})
	r := newRig(t, dataplanes.Options{Leaving: leaving})
	port := rig.FreePort(t)
	r.secure(port, "http", "a.example")
	r.Route("http", "/", &ir.Rule{Backends: rig.To(r.Backend("one", rig.Named(t, "one")))})
	r.Unit.Proxy.Routes[0].Attachments[0].Hostnames = []string{"a.example"}
	r.Must()
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
