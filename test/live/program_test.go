package live

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The ports that the objects of these tests listen at, before the offset.
const (
	plainPort  = 80
	securePort = 443
	// quicPort has HTTP/3: on the UDP side of the other is a listener.
	quicPort   = 444
	portOffset = 20000
)

var sluice string

// dataplane is the one that serves; that of Envoy needs Envoy in PATH or at
// $SLUICE_ENVOY.
var dataplane = flag.String("dataplane", "go", "the dataplane to run against")

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "sluice-live")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		sluice = filepath.Join(dir, "sluice")
		args := append(append([]string{"build"}, buildFlags...), "-o", sluice, "../../cmd/sluice")
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building sluice: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// program is a running `sluice run`.
type program struct {
	dir     string
	address string
	out     *output
	cmd     *exec.Cmd
}

// start serves a new directory with the given files, on an address of its own.
func start(t *testing.T, files map[string]string) *program {
	t.Helper()
	p := &program{dir: t.TempDir(), address: freeAddress(t), out: newOutput()}
	for name, content := range files {
		p.write(t, name, content)
	}
	p.cmd = exec.Command(sluice, "run", p.dir, "--no-color", "--bind", p.address, "--port-offset", fmt.Sprint(portOffset))
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stop(t) })
	return p
}

func (p *program) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	kill := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("sluice run ended with %v; it said:\n%s", err, p.out)
	}
}

// write puts a file in place whole: a watcher never reads half of it.
func (p *program) write(t *testing.T, name, content string) {
	t.Helper()
	content = strings.ReplaceAll(content, "controllerName: sluice.dev/go", "controllerName: sluice.dev/"+*dataplane)
	temporary := filepath.Join(p.dir, "."+name+".tmp")
	if err := os.WriteFile(temporary, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temporary, filepath.Join(p.dir, name)); err != nil {
		t.Fatal(err)
	}
}

func (p *program) at(port int) string {
	return net.JoinHostPort(p.address, fmt.Sprint(port+portOffset))
}

// waitServing waits until a plain request is answered with 200.
func (p *program) waitServing(ctx context.Context, t *testing.T, host string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	poll(ctx, t, "a first answer 200", p.out.String, func() bool {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.at(plainPort)+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		answer, err := client.Do(r)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// poll asks again until a condition holds; on a time-out it shows what there is.
func poll(ctx context.Context, t *testing.T, what string, have func() string, holds func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s; there is:\n%s", what, have())
		case <-again.C:
		}
	}
}

// freeAddress returns a loopback address that no other test has while this one
// runs.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
		claim, err := net.Listen("tcp", net.JoinHostPort(address, "19998"))
		if err == nil {
			t.Cleanup(func() { claim.Close() })
			return address
		}
	}
	t.Fatal("no loopback address is free")
	return ""
}

// output gathers what a program writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func newOutput() *output { return &output{} }

// Write takes text in.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

// String is everything so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// since is what came after the first n bytes.
func (o *output) since(n int) string { return o.String()[n:] }

func (o *output) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Len()
}

func containsAll(text string, wanted []string) bool {
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}
