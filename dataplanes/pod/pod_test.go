package pod_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/server"
	"github.com/sluice-gateway/sluice/dataplanes/pod"
	"github.com/sluice-gateway/sluice/ir"
)

var gateway = ir.Object{Kind: "Gateway", Namespace: "infra", Name: "edge"}

// lines is a writer that many may use.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// certificate is good for localhost and its own CA.
func certificate(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func freePort(t *testing.T) uint16 {
	t.Helper()
	var config net.ListenConfig
	ln, err := config.Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).AddrPort().Port()
}

// status is that of a GET; 0 where nothing answers.
func status(port uint16, path string) int {
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := c.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		return 0
	}
	defer r.Body.Close()
	return r.StatusCode
}

// world is an operator, and a pod's files.
type world struct {
	*server.Server
	dir     string
	runDir  string
	args    []string
	admin   uint16
	port    uint16
	reports func() server.Report
}

func newWorld(t *testing.T) *world {
	t.Helper()
	leaf, ca := certificate(t)
	var config net.ListenConfig
	ln, err := config.Listen(t.Context(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{dir: t.TempDir(), admin: freePort(t), port: freePort(t)}
	var mu sync.Mutex
	var last server.Report
	w.reports = func() server.Report { mu.Lock(); defer mu.Unlock(); return last }
	w.Server = server.New(server.Options{
		Certificate: func() (*tls.Certificate, error) { return &leaf, nil },
		Review: func(_ context.Context, token string) (server.Peer, error) {
			if token != "good" {
				return server.Peer{}, fmt.Errorf("%w: it is %d bytes of nothing", server.ErrRefused, len(token))
			}
			return server.Peer{Namespace: "infra", ServiceAccount: "edge", Pod: "edge-1", PodUID: "1"}, nil
		},
		Admit: func(context.Context, server.Peer) (server.Admission, error) {
			return server.Admission{Owner: gateway}, nil
		},
		Report: func(r server.Report) { mu.Lock(); defer mu.Unlock(); last = r },
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx, ln) }()
	t.Cleanup(func() { cancel(); <-done })
	w.file(t, "token", []byte("good"))
	w.file(t, "ca.crt", ca)
	t.Setenv("POD_NAME", "edge-1")
	w.args = []string{
		"proxy", "--unit", "Gateway/infra/edge", "--operator", fmt.Sprintf("localhost:%d", ln.Addr().(*net.TCPAddr).Port),
		"--token-file", filepath.Join(w.dir, "token"), "--ca-file", filepath.Join(w.dir, "ca.crt"), "--state-dir", w.dir,
		"--admin", fmt.Sprintf(":%d", w.admin), "--stop-delay", "3s",
	}
	return w
}

func (w *world) file(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *world) set(version string) {
	w.Set(server.Set{Version: version, Unit: &ir.Unit{Proxy: &ir.Proxy{
		Owner:     gateway,
		Listeners: []*ir.Listener{{Key: ir.ListenerKey{Owner: gateway, Section: "http"}, Port: w.port, Protocol: ir.HTTP, Hostname: "*"}},
		Settings:  ir.Settings{Timeouts: ir.ServerTimeouts{Drain: ir.Duration(5 * time.Second)}},
	}}})
}

// start runs the program until stop, and returns its exit code and its log.
func (w *world) start(t *testing.T) (stop func() int, log *lines) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	log = &lines{}
	code := make(chan int, 1)
	go func() { code <- pod.Main(ctx, w.args, pod.Streams{Out: io.Discard, Err: log}) }()
	stop = sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return stop, log
}

// lives are the commands that serve, and a metric that each has once it does.
var lives = []struct {
	name   string
	args   []string
	metric string
}{
	{"proxy", []string{"proxy"}, "sluice_proxy_table_swaps_total 1"},
	{"agent of Envoy", []string{"agent", "--dataplane", "envoy"}, "sluice_delivery_client_connected 1"},
	{"agent of HAProxy", []string{"agent", "--dataplane", "haproxy"}, "sluice_delivery_client_connected 1"},
}

// as begins the command line with another command.
func (w *world) as(t *testing.T, command []string) {
	t.Helper()
	for _, o := range others {
		if slices.Contains(command, o.dataplane) {
			o.program(t)
		}
	}
	w.args = append(slices.Clone(command), w.args[1:]...)
	if command[0] == "agent" {
		w.runDir = t.TempDir()
		w.args = append(w.args, "--run-dir", w.runDir)
	}
}

// TestLifeOfAPod: alive at once, ready with its first set, not ready and still
// serving when it is told to end, gone when it has drained.
func TestLifeOfAPod(t *testing.T) {
	for _, life := range lives {
		t.Run(life.name, func(t *testing.T) {
			w := newWorld(t)
			w.as(t, life.args)
			stop, _ := w.start(t)
			wait.For(t, "it is alive", func() bool { return status(w.admin, "/healthz") == http.StatusOK })
			if got := status(w.admin, "/readyz"); got != http.StatusServiceUnavailable {
				t.Errorf("without a set /readyz is %d", got)
			}
			w.set("v1")
			w.Lead(1)
			wait.For(t, "it is ready", func() bool { return status(w.admin, "/readyz") == http.StatusOK })
			if got := status(w.port, "/"); got != http.StatusNotFound {
				t.Errorf("the proxy answers %d", got)
			}
			if got := metrics(t, w.admin); !strings.Contains(got, life.metric) || !strings.Contains(got, "sluice_delivery_client_connected 1") {
				t.Error("the proxy's or the client's metrics are missing")
			}
			w.ends(t, stop)
		})
	}
}

// ends tells the pod to end, and looks at what it does until it has.
func (w *world) ends(t *testing.T, stop func() int) {
	t.Helper()
	code := make(chan int, 1)
	kept := &http.Transport{}
	defer kept.CloseIdleConnections()
	if goes(t, kept, w.port) {
		t.Error("a client is asked to go before anything ends")
	}
	go func() { code <- stop() }()
	wait.For(t, "a client that keeps its connection is asked to go", func() bool { return goes(t, kept, w.port) })
	if !goes(t, kept, w.port) {
		t.Error("one that comes later is not")
	}
	wait.For(t, "it is not ready", func() bool { return status(w.admin, "/readyz") == http.StatusServiceUnavailable })
	if got := status(w.port, "/"); got != http.StatusNotFound {
		t.Errorf("while it waits the proxy answers %d", got)
	}
	wait.For(t, "it reports that it ends", func() bool { return w.reports().Draining })
	if got := <-code; got != 0 {
		t.Errorf("it ends with %d", got)
	}
	if got := status(w.port, "/"); got != 0 {
		t.Errorf("after its end the proxy answers %d", got)
	}
	wait.For(t, "its stream has ended", func() bool { return !w.reports().Connected })
}

// goes reports whether a client is asked to make another connection for its next
// request.
func goes(t *testing.T, kept *http.Transport, port uint16) bool {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", port), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := kept.RoundTrip(r)
	if err != nil {
		t.Error(err)
		return true
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.Close
}

// TestAnotherContainer: what served last is in the state directory, so a container
// that comes while there is no operator serves it at once.
func TestAnotherContainer(t *testing.T) {
	for _, life := range lives {
		t.Run(life.name, func(t *testing.T) {
			w := newWorld(t)
			w.as(t, life.args)
			w.args = append(w.args, "--stop-delay", "0s")
			stop, _ := w.start(t)
			w.set("v1")
			w.Lead(1)
			wait.For(t, "it is ready", func() bool { return status(w.admin, "/readyz") == http.StatusOK })
			wait.For(t, "what serves is kept", func() bool { return kept(w.dir) })
			stop()
			if w.runDir != "" {
				leave(t, w.runDir)
			}
			w.args = append(w.args, "--operator", "localhost:1")
			w.start(t)
			wait.For(t, "it is ready though there is no operator", func() bool { return status(w.admin, "/readyz") == http.StatusOK })
			if got := status(w.port, "/"); got != http.StatusNotFound {
				t.Errorf("the proxy answers %d", got)
			}
		})
	}
}

// leave makes what a container leaves that is killed; the next one must not find it.
func leave(t *testing.T, dir string) {
	t.Helper()
	if all, err := os.ReadDir(dir); err != nil || len(all) > 0 {
		t.Errorf("one that has drained leaves %v, %v", all, err)
	}
	left := filepath.Join(dir, "left", "behind")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := os.Stat(left); err == nil {
			t.Error("what one that was killed has left is still there")
		}
	})
}

// kept reports whether there is a set in the state directory.
func kept(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "last-good-set"))
	return err == nil
}

func metrics(t *testing.T, port uint16) string {
	t.Helper()
	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	return string(text)
}

// TestDatagramsOfIPv4: a pod binds both families with one socket, and clients of
// IPv4 get their answers from the address that they asked.
func TestDatagramsOfIPv4(t *testing.T) {
	backend, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Close()
	go func() {
		buffer := make([]byte, 100)
		for {
			n, from, err := backend.ReadFromUDP(buffer)
			if err != nil {
				return
			}
			_, _ = backend.WriteToUDP(buffer[:n], from)
		}
	}()
	w := newWorld(t)
	key := ir.ListenerKey{Owner: gateway, Section: "udp"}
	bk := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Namespace: "a", Service: "b", Port: 1}, Protocol: ir.BackendUDP}
	at := backend.LocalAddr().(*net.UDPAddr).AddrPort()
	w.Set(server.Set{Version: "v1", Unit: &ir.Unit{
		Proxy: &ir.Proxy{
			Owner: gateway, Listeners: []*ir.Listener{{Key: key, Port: w.port, Protocol: ir.UDP, Hostname: "*"}}, Backends: []*ir.Backend{{Key: bk}},
			Routes: []*ir.Route{{
				Origin: ir.Object{Kind: "UDPRoute", Namespace: "a", Name: "r"}, Kind: ir.UDPRoute, Attachments: []ir.Attachment{{Listener: key}},
				Rules: []*ir.Rule{{Backends: []ir.BackendUse{{Backend: &bk, Weight: 1}}}},
			}},
		},
		Endpoints: []*ir.Endpoints{{Key: bk.EndpointsKey, Endpoints: []ir.Endpoint{{Address: at.Addr().String(), Port: at.Port()}}}},
	}})
	w.Lead(1)
	w.start(t)
	wait.For(t, "it is ready", func() bool { return status(w.admin, "/readyz") == http.StatusOK })
	c, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(w.port)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	buffer := make([]byte, 100)
	wait.For(t, "the answer comes", func() bool {
		_, _ = c.Write([]byte("hello"))
		c.SetReadDeadline(time.Now().Add(time.Second))
		n, err := c.Read(buffer)
		return err == nil && string(buffer[:n]) == "hello"
	})
}

// TestWrongTokenAndCA: what is wrong is in the log, files are read anew, and
// nothing else needs to be done once they are right.
func TestWrongTokenAndCA(t *testing.T) {
	w := newWorld(t)
	w.Lead(1)
	w.set("v1")
	good, err := os.ReadFile(filepath.Join(w.dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	_, other := certificate(t)
	w.file(t, "ca.crt", other)
	w.file(t, "token", []byte("someone-elses"))
	_, log := w.start(t)
	wait.For(t, "the certificate is refused", func() bool { return strings.Contains(log.String(), "certificate signed by unknown authority") })
	w.file(t, "ca.crt", append(other, good...))
	wait.For(t, "the token is refused", func() bool { return strings.Contains(log.String(), "Unauthenticated") })
	if strings.Contains(log.String(), "someone-elses") {
		t.Error("the token is in the log")
	}
	w.file(t, "token", []byte("good"))
	wait.For(t, "it is ready", func() bool { return status(w.admin, "/readyz") == http.StatusOK })
}

// TestWrongFlags: each is told, with what would be right.
func TestWrongFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"proxy"}, "want Kind/namespace/name"},
		{[]string{"proxy", "--unit", "Gateway/a"}, "want Kind/namespace/name"},
		{[]string{"proxy", "--unit", "Gateway/a/b", "--token-file", "x", "--ca-file", "y"}, "--operator is not set"},
		{[]string{"proxy", "--unit", "Gateway/a/b", "--operator", "here", "--token-file", "x", "--ca-file", "y", "--admin", "127.0.0.1:0"}, "want host:port"},
		{[]string{"proxy", "--unit", "Gateway/a/b", "--operator", "here:1", "--token-file", "x", "--ca-file", "y", "--admin", "nowhere:1:1"}, "choose another address"},
		{[]string{"proxy", "--unit", "Gateway/a/b", "--operator", "here:1", "--token-file", "x", "--ca-file", "y", "--stop-delay", "-1s"}, "0 or more"},
		{[]string{"agent", "--unit", "Gateway/a/b"}, "--dataplane is \"\""},
		{[]string{"agent", "--dataplane", "apache"}, "--dataplane is \"apache\""},
		{[]string{"agent", "--dataplane", "envoy", "--run-dir", "/nowhere"}, "--run-dir: open /nowhere"},
		{[]string{"install"}, "--to is not set"},
		{[]string{"install", "--to", "/nowhere/at/all"}, "/nowhere/at/all"},
	} {
		log := &lines{}
		if code := pod.Main(t.Context(), c.args, pod.Streams{Out: io.Discard, Err: log}); code != 2 || !strings.Contains(log.String(), c.says) {
			t.Errorf("%q: %d, %s", c.args, code, log)
		}
	}
}
