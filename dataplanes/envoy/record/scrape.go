package record

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Source answers for a path of Envoy's admin interface.
type Source interface {
	Get(ctx context.Context, path string) ([]byte, error)
}

// Child is an Envoy that runs, and the reader of its lines.
type Child struct {
	Unit  *Unit
	Admin Source
}

// Numbers are the metrics that Envoy itself counts, summed over all that run. They
// are asked for when somebody asks for metrics.
type Numbers struct {
	children func() []Child

	mu   sync.Mutex
	seen map[*Unit]*tally
	// known are series that were there before.
	known map[series]bool
}

var _ prometheus.Collector = (*Numbers)(nil)

// NewNumbers returns a collector of the children's metrics.
func NewNumbers(children func() []Child) *Numbers {
	return &Numbers{children: children, seen: map[*Unit]*tally{}, known: map[series]bool{}}
}

// tally has what counters were before an Envoy was started again, as they begin
// from nothing then.
type tally struct {
	base, last map[series]float64
}

// patience bounds how long an Envoy may take to answer.
const patience = 2 * time.Second

type metric struct {
	help   string
	labels []string
	kind   prometheus.ValueType
}

var metrics = map[string]metric{
	"active_requests":           {"Requests under way, tunnels included.", nil, prometheus.GaugeValue},
	"connections":               {"Open client connections, by port.", []string{"port"}, prometheus.GaugeValue},
	"connections_refused_total": {"Client connections refused, by port and reason.", []string{"port", "reason"}, prometheus.CounterValue},
	"stream_bytes_total":        {"Bytes of layer 4, by listener and direction; long connections are counted while they last.", []string{"listener", "direction"}, prometheus.CounterValue},
	"active_streams":            {"Connections and sessions of layer 4, by listener.", []string{"listener"}, prometheus.GaugeValue},
	"datagrams_dropped_total":   {"Datagrams that were not sent on, by port and reason.", []string{"port", "reason"}, prometheus.CounterValue},
	"ejected_endpoints":         {"Endpoints that are left out now, by backend; backends without any have no series.", []string{"backend"}, prometheus.GaugeValue},
	"ejections_total":           {"Endpoints that were left out because they could not be connected to.", nil, prometheus.CounterValue},
	"memory_pressed":            {"1 while memory is nearly used up and requests are turned away.", nil, prometheus.GaugeValue},
}

// always are there from the beginning.
var always = []string{"active_requests", "ejections_total", "memory_pressed"}

// Describe implements prometheus.Collector: what there is depends on what runs.
func (n *Numbers) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (n *Numbers) Collect(out chan<- prometheus.Metric) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for s, value := range n.sum() {
		m := metrics[s.metric]
		if value == 0 && len(m.labels) > 0 && !n.known[s] {
			// A series is there from its first event on.
			continue
		}
		n.known[s] = true
		labels := []string{s.a, s.b}[:len(m.labels)]
		desc := prometheus.NewDesc("sluice_proxy_"+s.metric, m.help, m.labels, nil)
		out <- prometheus.MustNewConstMetric(desc, m.kind, value, labels...)
	}
}

func (n *Numbers) sum() map[series]float64 {
	total := map[series]float64{}
	for _, name := range always {
		total[series{metric: name}] = 0
	}
	seen := map[*Unit]*tally{}
	for _, child := range n.children() {
		t := n.seen[child.Unit]
		if t == nil {
			t = &tally{base: map[series]float64{}}
		}
		seen[child.Unit] = t
		for s, value := range t.take(child) {
			total[s] += value
		}
		for listener, open := range child.Unit.Active() {
			total[series{metric: "active_streams", a: listener}] += float64(open)
		}
	}
	n.seen = seen
	if s := (series{metric: "memory_pressed"}); total[s] > 1 {
		total[s] = 1
	}
	return total
}

// take asks an Envoy. One that does not answer has what it had.
func (t *tally) take(child Child) map[series]float64 {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if text, err := child.Admin.Get(ctx, "/stats"); err == nil {
		now := child.Unit.numbers(string(text))
		for s, before := range t.last {
			if metrics[s.metric].kind == prometheus.CounterValue && now[s] < before {
				t.base[s] += before
			}
		}
		t.last = now
	}
	all := map[series]float64{}
	for s, value := range t.last {
		all[s] = value
	}
	for s, value := range t.base {
		all[s] += value
	}
	return all
}
