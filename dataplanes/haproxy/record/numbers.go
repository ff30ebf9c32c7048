package record

import (
	"context"
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Asker takes a command of the runtime API.
type Asker interface {
	Ask(ctx context.Context, command string) (string, error)
}

// Child is a HAProxy that runs, and the reader of its lines.
type Child struct {
	Unit  *Unit
	Admin Asker
}

// Numbers are the metrics that HAProxy itself counts, summed over all that run. They
// are asked for when somebody asks for metrics. A reload begins its counters anew.
type Numbers struct {
	children func() []Child

	mu   sync.Mutex
	seen map[*Unit]*tally
}

var _ prometheus.Collector = (*Numbers)(nil)

// NewNumbers returns a collector of the children's metrics.
func NewNumbers(children func() []Child) *Numbers {
	return &Numbers{children: children, seen: map[*Unit]*tally{}}
}

// series is one number by its metric's name and label.
type series struct{ metric, label string }

// tally has what counters were before a worker took another's place.
type tally struct{ base, last map[series]float64 }

// patience bounds how long HAProxy may take to answer.
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
	"ejected_endpoints":         {"Endpoints that are left out now, by backend; backends without any have no series.", []string{"backend"}, prometheus.GaugeValue},
	"ejections_total":           {"Endpoints that were left out because they could not be connected to.", nil, prometheus.CounterValue},
}

// always are there from the beginning.
var always = []string{"active_requests", "ejections_total"}

// Describe implements prometheus.Collector: what there is depends on what runs.
func (n *Numbers) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (n *Numbers) Collect(out chan<- prometheus.Metric) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for s, value := range n.sum() {
		m := metrics[s.metric]
		var labels []string
		switch len(m.labels) {
		case 1:
			labels = []string{s.label}
		case 2:
			// A rule of the port's bound is the one that refuses connections.
			labels = []string{s.label, "limit"}
		}
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
	}
	n.seen = seen
	return total
}

// take asks a HAProxy. One that does not answer has what it had.
func (t *tally) take(child Child) map[series]float64 {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if text, err := child.Admin.Ask(ctx, "show stat -1 7 -1"); err == nil {
		now := read(text, child.Unit.sections())
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

// The columns of "show stat", as management.txt numbers them.
const (
	proxyName, serverName, current, state = 0, 1, 4, 17
	timesDown, deniedConnections, columns = 22, 81, 82
)

// read reads what "show stat" answers. Backends are those of sections, by name.
func read(text string, backends map[string]string) map[series]float64 {
	all := map[series]float64{}
	rows := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "# ")))
	rows.FieldsPerRecord, rows.LazyQuotes = -1, true
	for {
		row, err := rows.Read()
		if err == io.EOF {
			return all
		}
		if err == nil && len(row) >= columns {
			count(all, row, backends[row[proxyName]])
		}
	}
}

// count adds a row: of a frontend, of a backend or of a server.
func count(all map[series]float64, row []string, backend string) {
	value := func(column int) float64 {
		n, _ := strconv.ParseFloat(row[column], 64)
		return n
	}
	port, ours := strings.CutPrefix(row[proxyName], "tcp_")
	outer := ours && !strings.Contains(port, "_")
	switch {
	case row[serverName] == "FRONTEND" && outer:
		all[series{"connections", port}] += value(current)
		if refused := value(deniedConnections); refused > 0 {
			all[series{"connections_refused_total", port}] += refused
		}
	case backend == "":
	case row[serverName] == "BACKEND":
		all[series{metric: "active_requests"}] += value(current)
	case row[serverName] != "FRONTEND":
		all[series{metric: "ejections_total"}] += value(timesDown)
		if strings.HasPrefix(row[state], "DOWN") {
			all[series{"ejected_endpoints", backend}]++
		}
	}
}
