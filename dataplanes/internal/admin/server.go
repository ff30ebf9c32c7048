package admin

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// Server answers /metrics, /healthz and /readyz for one dataplane. Those of one
// program that have one address share its socket.
type Server struct {
	name    string
	metrics *Metrics
	door    *door
	ready   atomic.Bool
}

// door is a socket and the servers behind it.
type door struct {
	addr netip.AddrPort
	http *http.Server
	mu   sync.Mutex
	all  []*Server
}

var (
	doors = map[netip.AddrPort]*door{}
	// opening guards doors.
	opening sync.Mutex

	_ prometheus.Gatherer = (*door)(nil)
)

// Listen starts a server of a dataplane's at an address. The proxy is not ready
// until SetReady.
func Listen(ctx context.Context, addr netip.AddrPort, name string, metrics *Metrics) (*Server, error) {
	opening.Lock()
	defer opening.Unlock()
	d := doors[addr]
	if d == nil {
		var err error
		if d, err = open(ctx, addr); err != nil {
			return nil, err
		}
		doors[addr] = d
	}
	s := &Server{name: name, metrics: metrics, door: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, s)
	return s, nil
}

func open(ctx context.Context, addr netip.AddrPort) (*door, error) {
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("admin address %s: %w; choose another", addr, err)
	}
	d := &door{addr: addr}
	d.http = &http.Server{Handler: d.routes(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	go d.http.Serve(ln) //nolint:errcheck // It ends with http.ErrServerClosed alone.
	return d, nil
}

// SetReady says whether requests should be sent to this proxy.
func (s *Server) SetReady(ready bool) {
	if s != nil {
		s.ready.Store(ready)
	}
}

// Close ends the server at once.
func (s *Server) Close() {
	if s == nil {
		return
	}
	opening.Lock()
	defer opening.Unlock()
	if s.door.leave(s) {
		delete(doors, s.door.addr)
		s.door.http.Close()
	}
}

// leave reports whether nobody is left.
func (d *door) leave(s *Server) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = slices.DeleteFunc(d.all, func(other *Server) bool { return other == s })
	return len(d.all) == 0
}

func (d *door) servers() []*Server {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.all)
}

func (d *door) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(d, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", d.serveReady)
	return mux
}

// Gather returns the metrics of one dataplane as they are. Those of several have
// a label that tells them apart, as they have the same names.
func (d *door) Gather() ([]*dto.MetricFamily, error) {
	all := d.servers()
	if len(all) == 1 {
		return all[0].metrics.registry.Gather()
	}
	gatherers := make(prometheus.Gatherers, 0, len(all))
	for _, s := range all {
		gatherers = append(gatherers, prometheus.GathererFunc(s.gather))
	}
	return gatherers.Gather()
}

// gather adds the label.
func (s *Server) gather() ([]*dto.MetricFamily, error) {
	families, err := s.metrics.registry.Gather()
	label := "dataplane"
	for _, f := range families {
		for _, m := range f.GetMetric() {
			m.Label = append(m.GetLabel(), &dto.LabelPair{Name: &label, Value: &s.name})
			slices.SortFunc(m.Label, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
		}
	}
	return families, err
}

func (d *door) serveReady(w http.ResponseWriter, _ *http.Request) {
	if slices.ContainsFunc(d.servers(), func(s *Server) bool { return !s.ready.Load() }) {
		http.Error(w, "not ready: no table is in force", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}
