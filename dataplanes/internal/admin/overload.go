package admin

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Overload is what is counted where the proxy has too much to do. Its methods do
// not block.
type Overload struct {
	registry *prometheus.Registry
	shed     *prometheus.CounterVec
	accepts  *prometheus.CounterVec
	tapes    prometheus.Counter
	panics   prometheus.Counter
}

func newOverload(registry *prometheus.Registry) *Overload {
	o := &Overload{
		registry: registry,
		shed: prometheus.NewCounterVec(opts("requests_shed_total", "Requests answered 503 because too many are under way or memory is short, by reason."),
			[]string{"reason"}),
		accepts: prometheus.NewCounterVec(opts("accept_failures_total", "Times that the system handed no connection over, for lack of descriptors or memory, by port."),
			[]string{"port"}),
		tapes:  prometheus.NewCounter(opts("retry_buffer_full_total", "Requests whose body was not kept for another try because too much is kept.")),
		panics: prometheus.NewCounter(opts("panics_total", "Requests that were cut off because of a fault of this program; its log has the place.")),
	}
	registry.MustRegister(o.shed, o.accepts, o.tapes, o.panics,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return o
}

// Shed counts a request that was turned away, for a reason from a fixed list.
func (o *Overload) Shed(reason string) { o.shed.WithLabelValues(reason).Inc() }

// AcceptFailed counts a connection that the system did not hand over.
func (o *Overload) AcceptFailed(port uint16, _ error) {
	o.accepts.WithLabelValues(portLabel(port)).Inc()
}

// TapeFull counts a request whose body was not kept.
func (o *Overload) TapeFull() { o.tapes.Inc() }

// Panicked counts a request that was cut off because of a fault of ours.
func (o *Overload) Panicked() { o.panics.Inc() }

// Shares are what the process allows and what of it is taken.
type Shares struct {
	Most  func() int64
	Taken func() int64
}

// Share exposes a share of the process, by a name from a fixed list.
func (o *Overload) Share(name string, s Shares) {
	labels := prometheus.Labels{"share": name}
	for metric, of := range map[string]struct {
		help string
		read func() int64
	}{
		"share_limit": {"What the process's descriptors allow, by share; 0 is no bound.", s.Most},
		"share_used":  {"What is taken of it, by share.", s.Taken},
	} {
		gauge := prometheus.GaugeOpts(opts(metric, of.help))
		gauge.ConstLabels = labels
		o.registry.MustRegister(prometheus.NewGaugeFunc(gauge, func() float64 { return float64(of.read()) }))
	}
}

// Pressed exposes whether memory is short.
func (o *Overload) Pressed(pressed func() bool) {
	o.registry.MustRegister(prometheus.NewGaugeFunc(
		prometheus.GaugeOpts(opts("memory_pressed", "1 while memory is nearly used up and requests are turned away.")),
		func() float64 {
			if pressed() {
				return 1
			}
			return 0
		}))
}
