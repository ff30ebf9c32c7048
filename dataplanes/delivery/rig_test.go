package delivery_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/client"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/server"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy"
	"github.com/sluice-gateway/sluice/ir"
)

const (
	operatorName = "sluice-operator.sluice-system.svc"
	patience     = 30 * time.Second
)

var gateway = ir.Object{Kind: "Gateway", Namespace: "infra", Name: "edge"}

// authority is a CA and a certificate of the operator's.
type authority struct {
	pem  []byte
	leaf tls.Certificate
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{operatorName}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &leafKey.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{
		pem:  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		leaf: tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey},
	}
}

// operator is a server on an address of its own.
type operator struct {
	*server.Server
	t    testing.TB
	addr netip.AddrPort
	stop func()

	mu      sync.Mutex
	reports map[string]server.Report
}

// cluster is what a server is told of tokens and pods.
type cluster struct {
	ca *authority

	mu     sync.Mutex
	tokens map[string]server.Peer
	pods   map[string]server.Admission
}

func newCluster(t testing.TB) *cluster {
	t.Helper()
	return &cluster{ca: newAuthority(t), tokens: map[string]server.Peer{}, pods: map[string]server.Admission{}}
}

// pod makes a pod of a unit and returns its token.
func (c *cluster) pod(name string, owner ir.Object) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	peer := server.Peer{Namespace: owner.Namespace, ServiceAccount: "edge", Pod: name, PodUID: "uid-" + name}
	c.tokens["token-"+name] = peer
	c.pods[peer.PodUID] = server.Admission{Owner: owner, Zone: "zone-a", Node: "node-1"}
	return "token-" + name
}

func (c *cluster) review(_ context.Context, token string) (server.Peer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	peer, ok := c.tokens[token]
	if !ok {
		return peer, fmt.Errorf("%w: nobody's", server.ErrRefused)
	}
	return peer, nil
}

func (c *cluster) admit(_ context.Context, peer server.Peer) (server.Admission, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.pods[peer.PodUID]
	if !ok {
		return a, fmt.Errorf("%w: pod %s/%s is none that was provisioned", server.ErrRefused, peer.Namespace, peer.Pod)
	}
	return a, nil
}

// start starts an operator at an address; with port 0, at a free one.
func (c *cluster) start(t testing.TB, at string, change func(*server.Options)) *operator {
	t.Helper()
	var config net.ListenConfig
	ln, err := config.Listen(t.Context(), "tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	o := &operator{t: t, addr: ln.Addr().(*net.TCPAddr).AddrPort(), reports: map[string]server.Report{}}
	opts := server.Options{
		Certificate: func() (*tls.Certificate, error) { return &c.ca.leaf, nil },
		Review:      c.review, Admit: c.admit, Report: o.note, Log: testLog(t, "operator"), Program: "test",
	}
	if change != nil {
		change(&opts)
	}
	o.Server = server.New(opts)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- o.Serve(ctx, ln) }()
	o.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(o.stop)
	return o
}

func (o *operator) note(r server.Report) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reports[r.Pod.Name] = r
}

func (o *operator) report(pod string) server.Report {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reports[pod]
}

func (o *operator) runs(pod, version string) {
	o.t.Helper()
	wait.For(o.t, pod+" runs "+version, func() bool { r := o.report(pod); return r.Connected && r.Version == version })
}

// pod is a client and its proxy.
type pod struct {
	t     testing.TB
	dir   string
	stop  func()
	ended chan error
}

// runPod starts a pod that finds its operators at the given addresses, which
// must share a port.
func (c *cluster) runPod(t testing.TB, name string, change func(*client.Options), operators ...netip.AddrPort) *pod {
	t.Helper()
	return c.runPodIn(t, t.TempDir(), name, change, operators...)
}

func (c *cluster) runPodIn(t testing.TB, dir, name string, change func(*client.Options), operators ...netip.AddrPort) *pod {
	t.Helper()
	p := &pod{t: t, dir: dir, ended: make(chan error, 1)}
	write(t, filepath.Join(dir, "ca.crt"), c.ca.pem)
	write(t, filepath.Join(dir, "token"), []byte("token-"+name+"\n"))
	opts := client.Options{
		Unit: gateway, Pod: name, Operator: fmt.Sprintf("%s:%d", operatorName, operators[0].Port()),
		TokenFile: filepath.Join(dir, "token"), CAFile: filepath.Join(dir, "ca.crt"), StateDir: dir,
		Features: goproxy.Dataplane{}.Features(), Address: netip.MustParseAddr("127.0.0.1"), Log: testLog(t, name),
		Start: func(ctx context.Context, zone, node string) (dataplanes.Local, error) {
			return goproxy.Dataplane{}.Start(ctx, dataplanes.Options{Zone: zone, Node: node})
		},
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			var all []netip.Addr
			for _, o := range operators {
				all = append(all, o.Addr())
			}
			return all, nil
		},
	}
	if change != nil {
		change(&opts)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { p.ended <- client.Run(ctx, opts) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-p.ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(p.stop)
	return p
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// testLog writes to the test's log until the test ends.
func testLog(t testing.TB, who string) logr.Logger {
	t.Helper()
	var mu sync.Mutex
	over := false
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
	})
	return funcr.New(func(_, args string) {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			t.Log(who, args)
		}
	}, funcr.Options{})
}

// answering is a backend that answers with a text.
func answering(t testing.TB, text string) netip.AddrPort {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })) //nolint:errcheck // The client says so.
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).AddrPort()
}

func freePort(t testing.TB) uint16 {
	t.Helper()
	var config net.ListenConfig
	ln, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).AddrPort().Port()
}

// unit has one HTTP listener and a route for each backend, "/0" and so on.
func unit(port uint16, backends ...netip.AddrPort) *ir.Unit {
	key := ir.ListenerKey{Owner: gateway, Section: "http"}
	u := &ir.Unit{Proxy: &ir.Proxy{
		Owner: gateway, Listeners: []*ir.Listener{{Key: key, Port: port, Protocol: ir.HTTP, Hostname: "*"}},
		Settings: ir.Settings{Timeouts: ir.ServerTimeouts{Drain: ir.Duration(200 * time.Millisecond), Connect: ir.Duration(5 * time.Second)}},
	}}
	for i, b := range backends {
		bk := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Namespace: "apps", Service: fmt.Sprintf("svc-%d", i), Port: 80}, Protocol: ir.BackendHTTP1}
		origin := ir.Object{Kind: "HTTPRoute", Namespace: "apps", Name: fmt.Sprintf("route-%d", i)}
		u.Proxy.Backends = append(u.Proxy.Backends, &ir.Backend{Key: bk})
		u.Proxy.Routes = append(u.Proxy.Routes, &ir.Route{
			Origin: origin, Kind: ir.HTTPRoute, Created: time.Unix(int64(1e9+i), 0),
			Attachments: []ir.Attachment{{Listener: key, Hostnames: []string{"*"}}},
			Rules: []*ir.Rule{{
				Origin: ir.Origin{Object: origin}, Matches: []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: fmt.Sprintf("/%d", i)}}},
				Backends: []ir.BackendUse{{Backend: &bk, Weight: 1}},
			}},
		})
		u.Endpoints = append(u.Endpoints, endpoints(bk.EndpointsKey, b))
	}
	return u
}

func endpoints(key ir.EndpointsKey, at netip.AddrPort) *ir.Endpoints {
	return &ir.Endpoints{Key: key, Endpoints: []ir.Endpoint{{Address: at.Addr().String(), Port: at.Port()}}}
}

// get asks the proxy; the text is empty where it does not answer with 200.
func get(port uint16, path string) string {
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := c.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		return ""
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	if r.StatusCode != http.StatusOK {
		return r.Status
	}
	return string(text)
}
