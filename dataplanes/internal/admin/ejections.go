package admin

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Ejections are what is counted of endpoints that are left out because they could
// not be connected to. Its methods do not block.
type Ejections struct {
	total prometheus.Counter
	mu    sync.Mutex
	// now holds a number for each backend that has any: a backend that goes takes
	// its series with it.
	now  map[string]int
	desc *prometheus.Desc
}

var _ prometheus.Collector = (*Ejections)(nil)

func newEjections(registry *prometheus.Registry) *Ejections {
	e := &Ejections{
		total: prometheus.NewCounter(opts("ejections_total", "Endpoints that were left out because they could not be connected to.")),
		now:   map[string]int{},
		desc: prometheus.NewDesc("sluice_proxy_ejected_endpoints", "Endpoints that are left out now, by backend; backends without any have no series.",
			[]string{"backend"}, nil),
	}
	registry.MustRegister(e)
	return e
}

// Describe implements prometheus.Collector.
func (e *Ejections) Describe(descs chan<- *prometheus.Desc) {
	descs <- e.desc
	e.total.Describe(descs)
}

// Collect implements prometheus.Collector.
func (e *Ejections) Collect(metrics chan<- prometheus.Metric) {
	e.total.Collect(metrics)
	e.mu.Lock()
	defer e.mu.Unlock()
	for backend, n := range e.now {
		metrics <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, float64(n), backend)
	}
}

// Ejected counts an endpoint of a backend as left out until Readmitted.
func (e *Ejections) Ejected(backend string) {
	e.total.Inc()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now[backend]++
}

// Readmitted counts it off.
func (e *Ejections) Readmitted(backend string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.now[backend]--; e.now[backend] <= 0 {
		delete(e.now, backend)
	}
}
