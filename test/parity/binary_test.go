package parity

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// output is what a child process writes, safe to read while it writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// TestBinary serves a directory with the real program as a child process: it
// answers, an edit takes effect, and it ends without an error when it is told
// to.
func TestBinary(t *testing.T) {
	program := filepath.Join(t.TempDir(), "sluice")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	dir, address := t.TempDir(), addressOfOwn(t)
	put(t, dir, "one")
	said := &output{}
	child := exec.Command(program, "run", dir, "--bind", address, "--port-offset", "20000")
	child.Stdout, child.Stderr = said, said
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	defer child.Process.Kill()

	url := "http://" + net.JoinHostPort(address, "20080") + "/"
	awaitAnswer(t, url, `"one"`, said)
	put(t, dir, "two")
	awaitAnswer(t, url, `"two"`, said)
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Fatalf("after SIGTERM: %v\n%s", err, said)
		}
	case <-time.After(patience):
		t.Fatalf("still there after SIGTERM\n%s", said)
	}
}

func addressOfOwn(t *testing.T) string {
	t.Helper()
	address, claim, err := claimAddress()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { claim.Close() })
	return address
}

// put writes a directory whose route leads to one of two echo Services.
func put(t *testing.T, dir, service string) {
	t.Helper()
	manifest := `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: sluice}
spec: {controllerName: sluice.dev/go}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: sluice
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r}
spec:
  parentRefs: [{name: gw}]
  rules: [{backendRefs: [{name: ` + service + `, port: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: one, annotations: {sluice.dev/echo: "1"}}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: two, annotations: {sluice.dev/echo: "1"}}
spec: {ports: [{port: 80}]}
`
	if err := os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
}

// awaitAnswer asks until an answer holds a text.
func awaitAnswer(t *testing.T, url, want string, said *output) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	last := "nothing"
	for ctx.Err() == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			last = err.Error()
			pause()
			continue
		}
		a := &answer{}
		a.take(response)
		response.Body.Close()
		if last = a.String(); bytes.Contains(a.body, []byte(want)) {
			return
		}
		pause()
	}
	t.Fatalf("no answer with %s; the last was %s\nthe program said:\n%s", want, last, said)
}
