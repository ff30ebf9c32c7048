package admin

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are what is counted. Its methods do not block.
type Metrics struct {
	*Streams
	*Ejections
	*Overload
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	active   prometheus.Gauge
	failures *prometheus.CounterVec
	retries  prometheus.Counter
	conns    *prometheus.GaugeVec
	refused  *prometheus.CounterVec
	mirrors  prometheus.Counter
	swaps    prometheus.Counter
	logLost  prometheus.CounterFunc
	series   series
}

// NewMetrics returns metrics that are registered in a registry; nil is one of
// their own. LogDropped is the number of lines that the access log has lost.
func NewMetrics(registry *prometheus.Registry, logDropped func() uint64) *Metrics {
	if registry == nil {
		registry = prometheus.NewRegistry()
	}
	m := &Metrics{
		registry: registry,
		requests: prometheus.NewCounterVec(opts("requests_total", "Requests answered, by listener, route and class of status."),
			[]string{"listener", "route", "class"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "sluice", Subsystem: "proxy", Name: "request_duration_seconds",
			Help:    "Time from a request's header to the end of its response, by listener.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"listener"}),
		active:   prometheus.NewGauge(prometheus.GaugeOpts(opts("active_requests", "Requests under way, tunnels included."))),
		failures: prometheus.NewCounterVec(opts("upstream_failures_total", "Requests that got no whole response from a backend, by kind."), []string{"kind"}),
		retries:  prometheus.NewCounter(opts("upstream_retries_total", "Tries after the first.")),
		conns:    prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("connections", "Open client connections, by port.")), []string{"port"}),
		refused:  prometheus.NewCounterVec(opts("connections_refused_total", "Client connections refused, by port and reason."), []string{"port", "reason"}),
		mirrors:  prometheus.NewCounter(opts("mirrors_dropped_total", "Copies of requests that were not sent.")),
		swaps:    prometheus.NewCounter(opts("table_swaps_total", "Tables put in force.")),
	}
	m.logLost = prometheus.NewCounterFunc(opts("access_log_dropped_total", "Lines that the access log has lost."),
		func() float64 { return float64(logDropped()) })
	m.Streams, m.Ejections, m.Overload = newStreams(m.registry), newEjections(m.registry), newOverload(m.registry)
	m.registry.MustRegister(m.requests, m.duration, m.active, m.failures, m.retries, m.conns, m.refused, m.mirrors, m.swaps, m.logLost)
	return m
}

// LeaveToProxy takes away what only a proxy can tell that runs in this process:
// for others, they come from elsewhere, or there is nobody who could say.
func (m *Metrics) LeaveToProxy() {
	for _, c := range []prometheus.Collector{
		m.active, m.conns, m.refused, m.mirrors, m.Ejections, m.accepts, m.tapes, m.panics,
		m.Streams.active, m.Streams.bytes, m.Streams.dropped,
	} {
		m.registry.Unregister(c)
	}
}

// CountDetours takes back what an agent counts that does for its proxy what that
// cannot: copies for mirrors, and datagrams.
func (m *Metrics) CountDetours() {
	m.registry.MustRegister(m.mirrors, m.Streams.active, m.Streams.bytes, m.Streams.dropped)
}

// Registry is where the metrics are.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

func opts(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: "sluice", Subsystem: "proxy", Name: name, Help: help}
}

// Request is one request that has ended.
type Request struct {
	// Listener and Route name objects, or are empty where none was found.
	Listener, Route string
	Status          int
	Duration        time.Duration
	// Failure is one of upstream's kinds; empty for none.
	Failure string
	Tries   int
}

// Began counts a request as under way until Ended.
func (m *Metrics) Began() { m.active.Inc() }

// Ended counts a request that Began.
func (m *Metrics) Ended(r Request) {
	m.active.Dec()
	m.Count(r)
}

// Count counts a request of which nobody said that it began.
func (m *Metrics) Count(r Request) {
	s := m.of(r)
	s.requests.Inc()
	s.duration.Observe(r.Duration.Seconds())
	if r.Failure != "" {
		m.failures.WithLabelValues(r.Failure).Inc()
	}
	if r.Tries > 1 {
		m.retries.Add(float64(r.Tries - 1))
	}
}

// ConnOpened counts an open connection of a port.
func (m *Metrics) ConnOpened(port uint16) { m.conns.WithLabelValues(portLabel(port)).Inc() }

// ConnClosed counts it off.
func (m *Metrics) ConnClosed(port uint16) { m.conns.WithLabelValues(portLabel(port)).Dec() }

// ConnRefused counts a connection that was not let in.
func (m *Metrics) ConnRefused(port uint16, reason string) {
	m.refused.WithLabelValues(portLabel(port), reason).Inc()
}

func portLabel(port uint16) string { return strconv.Itoa(int(port)) }

// MirrorDropped counts a copy that was not sent.
func (m *Metrics) MirrorDropped() { m.mirrors.Inc() }

// Swapped counts a table that was put in force.
func (m *Metrics) Swapped() { m.swaps.Inc() }

// Forget drops the series of a listener or route that has gone.
func (m *Metrics) Forget(listener, route string) {
	m.series.forget()
	if listener != "" {
		m.requests.DeletePartialMatch(prometheus.Labels{"listener": listener})
		m.duration.DeletePartialMatch(prometheus.Labels{"listener": listener})
		m.forget("listener", listener)
	}
	if route != "" {
		m.requests.DeletePartialMatch(prometheus.Labels{"route": route})
		m.forget("route", route)
	}
}
