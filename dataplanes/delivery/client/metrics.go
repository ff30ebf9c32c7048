package client

import "github.com/prometheus/client_golang/prometheus"

// counts are what the client counts.
type counts struct {
	connected prometheus.Gauge
	sets      *prometheus.CounterVec
	bytes     prometheus.Counter
	active    prometheus.Histogram
	failures  *prometheus.CounterVec
}

func newCounts(registry prometheus.Registerer) *counts {
	c := &counts{
		connected: prometheus.NewGauge(prometheus.GaugeOpts(opts("connected", "1 while there is a stream to the operator."))),
		sets:      prometheus.NewCounterVec(opts("sets_total", "Sets received, by what became of them: taken or refused."), []string{"result"}),
		bytes:     prometheus.NewCounter(opts("received_bytes_total", "Bytes of messages received from the operator.")),
		active: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "sluice", Subsystem: "delivery_client", Name: "active_seconds",
			Help:    "Time from a set's arrival to its serving.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		failures: prometheus.NewCounterVec(opts("failures_total", "Streams that failed or ended, by reason: refused, unavailable or lost."), []string{"reason"}),
	}
	if registry != nil {
		registry.MustRegister(c.connected, c.sets, c.bytes, c.active, c.failures)
	}
	return c
}

func opts(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: "sluice", Subsystem: "delivery_client", Name: name, Help: help}
}
