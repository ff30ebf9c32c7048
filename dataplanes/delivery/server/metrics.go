package server

import "github.com/prometheus/client_golang/prometheus"

// counts are what the server counts.
type counts struct {
	connected prometheus.Gauge
	pushes    prometheus.Counter
	bytes     prometheus.Counter
	outcome   prometheus.Histogram
	refused   *prometheus.CounterVec
}

func newCounts(registry prometheus.Registerer) *counts {
	c := &counts{
		connected: prometheus.NewGauge(prometheus.GaugeOpts(opts("connected_pods", "Pods with a stream."))),
		pushes:    prometheus.NewCounter(opts("pushes_total", "Sets sent to pods.")),
		bytes:     prometheus.NewCounter(opts("sent_bytes_total", "Bytes of messages sent to pods.")),
		outcome: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "sluice", Subsystem: "delivery", Name: "outcome_seconds",
			Help:    "Time from a set to its serving in a pod.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		refused: prometheus.NewCounterVec(opts("refused_total", "Streams refused, by reason."), []string{"reason"}),
	}
	if registry != nil {
		registry.MustRegister(c.connected, c.pushes, c.bytes, c.outcome, c.refused)
	}
	return c
}

func opts(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: "sluice", Subsystem: "delivery", Name: name, Help: help}
}
