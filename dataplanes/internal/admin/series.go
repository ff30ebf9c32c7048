package admin

import (
	"maps"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// series are those of requests that were counted before: to look one up by its
// labels costs allocations.
type series struct {
	mu    sync.Mutex
	known atomic.Pointer[map[seriesKey]counted]
}

type seriesKey struct {
	listener, route string
	class           int
}

type counted struct {
	requests prometheus.Counter
	duration prometheus.Observer
}

// of returns the series that a request counts in.
func (m *Metrics) of(r Request) counted {
	key := seriesKey{r.Listener, r.Route, r.Status / 100}
	if known := m.series.known.Load(); known != nil {
		if c, ok := (*known)[key]; ok {
			return c
		}
	}
	m.series.mu.Lock()
	defer m.series.mu.Unlock()
	c := counted{
		requests: m.requests.WithLabelValues(r.Listener, r.Route, class(key.class)),
		duration: m.duration.WithLabelValues(r.Listener),
	}
	next := map[seriesKey]counted{}
	if known := m.series.known.Load(); known != nil {
		next = maps.Clone(*known)
	}
	next[key] = c
	m.series.known.Store(&next)
	return c
}

// forget has all looked up again.
func (s *series) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known.Store(nil)
}

func class(hundreds int) string {
	if hundreds < 1 || hundreds > 5 {
		return "other"
	}
	return strconv.Itoa(hundreds) + "xx"
}
