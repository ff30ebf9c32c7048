package admin

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Server answers /metrics, /healthz and /readyz.
type Server struct {
	http  *http.Server
	ready atomic.Bool
}

// Listen starts a server at an address. The proxy is not ready until SetReady.
func Listen(ctx context.Context, addr netip.AddrPort, metrics *Metrics) (*Server, error) {
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("admin address %s: %w; choose another", addr, err)
	}
	s := &Server{}
	s.http = &http.Server{Handler: s.routes(metrics), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	go s.http.Serve(ln) //nolint:errcheck // It ends with http.ErrServerClosed alone.
	return s, nil
}

// SetReady says whether requests should be sent to this proxy.
func (s *Server) SetReady(ready bool) {
	if s != nil {
		s.ready.Store(ready)
	}
}

// Close ends the server at once.
func (s *Server) Close() {
	if s != nil {
		s.http.Close()
	}
}

func (s *Server) routes(metrics *Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.serveReady)
	return mux
}

func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	if !s.ready.Load() {
		http.Error(w, "not ready: no table is in force", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}
