package kube

import "github.com/prometheus/client_golang/prometheus"

// The results of a write.
const (
	written  = "written"
	conflict = "conflict"
	gone     = "gone"
	refused  = "refused"
	failed   = "failed"
)

func newWrites() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "sluice", Subsystem: "status", Name: "writes_total",
		Help: "Writes of statuses, by kind of the object and result: written, conflict (looked at again), gone (the object), refused (by the API server, as invalid), failed (tried again).",
	}, []string{"kind", "result"})
}
