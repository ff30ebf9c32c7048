package admin

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Streams are what is counted of layer 4: connections of TLSRoutes and TCPRoutes,
// and sessions of UDPRoutes. Its methods do not block.
type Streams struct {
	ended   *prometheus.CounterVec
	active  *prometheus.GaugeVec
	bytes   *prometheus.CounterVec
	dropped *prometheus.CounterVec
}

func newStreams(registry *prometheus.Registry) *Streams {
	s := &Streams{
		ended: prometheus.NewCounterVec(opts("streams_total", "Connections and sessions of layer 4 that have ended, by listener, route and reason."),
			[]string{"listener", "route", "reason"}),
		active: prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("active_streams", "Connections and sessions of layer 4, by listener.")),
			[]string{"listener"}),
		bytes: prometheus.NewCounterVec(opts("stream_bytes_total", "Bytes of layer 4, by listener and direction; long connections are counted while they last."),
			[]string{"listener", "direction"}),
		dropped: prometheus.NewCounterVec(opts("datagrams_dropped_total", "Datagrams that were not sent on, by port and reason."),
			[]string{"port", "reason"}),
	}
	registry.MustRegister(s.ended, s.active, s.bytes, s.dropped)
	return s
}

// Stream is one connection or session of layer 4.
type Stream struct {
	// Listener and Route name objects, or are empty where none was found.
	Listener, Route string
	// Reason is from a fixed list; empty for an ordinary end.
	Reason string
}

// StreamBegan counts a stream of a listener as active until StreamEnded.
func (s *Streams) StreamBegan(listener string) { s.active.WithLabelValues(listener).Inc() }

// StreamEnded counts a stream that began.
func (s *Streams) StreamEnded(one Stream) {
	s.active.WithLabelValues(one.Listener).Dec()
	s.StreamRefused(one)
}

// StreamRefused counts a stream that never began.
func (s *Streams) StreamRefused(one Stream) {
	if one.Reason == "" {
		one.Reason = "done"
	}
	s.ended.WithLabelValues(one.Listener, one.Route, one.Reason).Inc()
}

// StreamMoved counts bytes to the backend and to the client.
func (s *Streams) StreamMoved(listener string, toBackend, toClient int64) {
	if toBackend > 0 {
		s.bytes.WithLabelValues(listener, "to_backend").Add(float64(toBackend))
	}
	if toClient > 0 {
		s.bytes.WithLabelValues(listener, "to_client").Add(float64(toClient))
	}
}

// DatagramDropped counts a datagram that was not sent on.
func (s *Streams) DatagramDropped(port uint16, reason string) {
	s.dropped.WithLabelValues(portLabel(port), reason).Inc()
}

// forget drops the series of what has gone. Those that are active stay, or they
// would come back below zero.
func (s *Streams) forget(label, value string) {
	which := prometheus.Labels{label: value}
	s.ended.DeletePartialMatch(which)
	if label == "listener" {
		s.bytes.DeletePartialMatch(which)
	}
}
