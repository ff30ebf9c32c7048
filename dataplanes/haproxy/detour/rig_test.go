package detour_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/haproxy/detour"
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
	"github.com/sluice-gateway/sluice/dataplanes/internal/mirror"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	"github.com/sluice-gateway/sluice/ir"
	haproxytest "github.com/sluice-gateway/sluice/test/haproxy"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

var (
	gateway  = ir.Object{Kind: "Gateway", Namespace: "infra", Name: "gw"}
	listener = ir.ListenerKey{Owner: gateway, Section: "http"}
	loopback = netip.MustParseAddr("127.0.0.1")
)

const trail = "sluice-0123456789abcdef"

// rig is an agent beside a HAProxy that sends it what is to pass.
type rig struct {
	t       *testing.T
	agent   *detour.Agent
	dir     string
	unit    *ir.Unit
	port    uint16
	metrics *admin.Metrics
	// told changes what the agent is told; nil for nothing.
	told func(*translator.Detours)
}

func newRig(t *testing.T) *rig {
	t.Helper()
	haproxytest.Program(t)
	dir, err := os.MkdirTemp("", "detour") //nolint:usetesting // The path of a socket must be short.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	metrics := admin.NewMetrics(nil, func() uint64 { return 0 })
	mirrors, end := context.WithCancel(context.Background())
	r := &rig{t: t, dir: dir, metrics: metrics, port: freePort(t), unit: &ir.Unit{Proxy: &ir.Proxy{Owner: gateway}}}
	r.agent, err = detour.New(detour.Options{
		Dir: dir, Metrics: metrics, Mirrors: mirror.New(mirrors, metrics.MirrorDropped), Guard: guard.New(guard.Input{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.agent.Close()
		end()
	})
	r.unit.Proxy.Listeners = []*ir.Listener{{Key: listener, Port: r.port, Protocol: ir.HTTP, Hostname: "*"}}
	return r
}

func freePort(t *testing.T) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}

// backend runs a server of HTTP/1.1 and h2c, and returns how the unit names it.
func (r *rig) backend(protocol ir.BackendProtocol, handler http.Handler) ir.BackendKey {
	r.t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	r.t.Cleanup(s.Close)
	r.t.Cleanup(s.CloseClientConnections)
	at := s.Listener.Addr().(*net.TCPAddr).AddrPort()
	key := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Namespace: "apps", Service: "s" + strconv.Itoa(len(r.unit.Endpoints)), Port: 80}, Protocol: protocol}
	r.unit.Proxy.Backends = append(r.unit.Proxy.Backends, &ir.Backend{Key: key})
	r.unit.Endpoints = append(r.unit.Endpoints, &ir.Endpoints{Key: key.EndpointsKey, Endpoints: []ir.Endpoint{{Address: at.Addr().String(), Port: at.Port()}}})
	return key
}

// route leads every request through filters to a backend.
func (r *rig) route(rule ir.Rule, backend ir.BackendKey) {
	origin := ir.Object{Kind: "HTTPRoute", Namespace: "apps", Name: "r"}
	rule.Origin = ir.Origin{Object: origin}
	rule.Matches = []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: "/"}}}
	rule.Backends = []ir.BackendUse{{Backend: &backend, Weight: 1}}
	r.unit.Proxy.Routes = []*ir.Route{{
		Origin: origin, Kind: ir.HTTPRoute, Rules: []*ir.Rule{&rule},
		Attachments: []ir.Attachment{{Listener: listener, Hostnames: []string{"*"}}},
	}}
}

// start puts the unit in force and returns where it is served.
func (r *rig) start() string {
	r.t.Helper()
	config := translator.Translate(r.unit, translator.Target{Address: loopback, Trail: trail}, nil)
	if r.told != nil {
		r.told(&config.Detours)
	}
	if problems := append(config.Problems, r.agent.Apply(detour.Input{Unit: r.unit, Detours: config.Detours, Address: loopback})...); len(problems) > 0 {
		r.t.Fatalf("problems: %v", problems)
	}
	r.write("haproxy.cfg", config.Text())
	r.write(translator.RoutesMap, config.Map())
	for _, f := range config.Files {
		r.write(f.Name, f.Content)
	}
	said := &output{}
	c := exec.Command(haproxytest.Program(r.t), "-db", "-C", r.dir, "-f", "haproxy.cfg") //nolint:gosec // The program under test.
	c.Stdout, c.Stderr = said, said
	if err := c.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGKILL)
		_ = c.Wait()
		if r.t.Failed() {
			r.t.Logf("HAProxy says:\n%s\nof:\n%s\n%s", said.String(), config.Text(), config.Map())
		}
	})
	address := netip.AddrPortFrom(loopback, r.port).String()
	wait.For(r.t, "HAProxy listens", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return address
}

func (r *rig) write(name, content string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// output is what a process says.
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

// counted is the value of the series of a metric whose labels hold a text; 0 where
// there is none.
func (r *rig) counted(name, labels string) float64 {
	r.t.Helper()
	families, err := r.metrics.Registry().Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			text := ""
			for _, l := range m.GetLabel() {
				text += l.GetName() + `:"` + l.GetValue() + `" `
			}
			if strings.Contains(text, labels) {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}
