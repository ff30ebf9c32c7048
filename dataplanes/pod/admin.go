package pod

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// admin answers /metrics, /healthz and /readyz from the pod's first moment on,
// long before there is a proxy.
type admin struct {
	http *http.Server
	// active is set while a set is served, ending once the pod is to end.
	active, ending atomic.Bool
}

func listenAdmin(ctx context.Context, addr string, registry *prometheus.Registry) (*admin, error) {
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--admin %s: %w; choose another address", addr, err)
	}
	a := &admin{}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", a.serveReady)
	a.http = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	// It ends when the pod does.
	go func() { _ = a.http.Serve(ln) }()
	return a, nil
}

func (a *admin) serveReady(w http.ResponseWriter, _ *http.Request) {
	switch {
	case a.ending.Load():
		http.Error(w, "not ready: the pod is about to end", http.StatusServiceUnavailable)
	case !a.active.Load():
		http.Error(w, "not ready: no set of the operator is served", http.StatusServiceUnavailable)
	default:
		fmt.Fprintln(w, "ok")
	}
}
