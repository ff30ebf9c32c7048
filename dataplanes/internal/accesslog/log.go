package accesslog

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Entry is one request, or one connection or session of layer 4, whose Method,
// Path and Status are empty and whose Host is the SNI. What clients wrote is escaped as JSON demands.
type Entry struct {
	Time   time.Time `json:"time"`
	Client string    `json:"client"`
	Method string    `json:"method"`
	Host   string    `json:"host"`
	// Path is the client's, normalised, without its query, which often holds
	// what must not be logged.
	Path     string `json:"path"`
	Protocol string `json:"protocol"`
	Status   int    `json:"status"`
	Bytes    int64  `json:"bytes"`
	// BytesIn are the client's, of connections and sessions that are no requests.
	BytesIn   int64  `json:"bytes_in,omitempty"`
	Millis    int64  `json:"duration_ms"`
	Listener  string `json:"listener,omitempty"`
	Route     string `json:"route,omitempty"`
	Rule      *int   `json:"rule,omitempty"`
	Backend   string `json:"backend,omitempty"`
	Endpoint  string `json:"endpoint,omitempty"`
	Tries     int    `json:"tries,omitempty"`
	RequestID string `json:"request_id,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
	// Flags say why the proxy itself answered, or cut the response off; empty
	// for an answer of the backend that was passed on whole.
	Flags string `json:"flags,omitempty"`
}

const (
	// mostPending bounds what waits to be written, in bytes.
	mostPending = 1 << 20
	// enough is written at once, less is waited for: one write for each line would
	// cost more than the line.
	enough = 64 << 10
	delay  = 10 * time.Millisecond
)

// Log takes entries and writes them in order.
type Log struct {
	out     io.Writer
	dropped atomic.Uint64
	// wake says that something waits, full that it is enough.
	wake, full chan struct{}
	done       chan struct{}

	mu      sync.Mutex
	pending []byte
	lines   uint64
	closed  bool
}

// New returns a log that writes to w.
func New(w io.Writer) *Log {
	l := &Log{out: w, wake: make(chan struct{}, 1), full: make(chan struct{}, 1), done: make(chan struct{})}
	go l.run()
	return l
}

// Write takes an entry, of which it keeps nothing, or counts it as dropped where
// the log is not read fast enough or has been closed. A nil log takes nothing.
func (l *Log) Write(e *Entry) {
	if l == nil {
		return
	}
	l.mu.Lock()
	if l.closed || len(l.pending) > mostPending {
		l.mu.Unlock()
		l.dropped.Add(1)
		return
	}
	l.pending = appendLine(l.pending, e)
	l.lines++
	first, much := l.lines == 1, len(l.pending) > enough
	l.mu.Unlock()
	if first {
		signal(l.wake)
	}
	if much {
		signal(l.full)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Dropped is the number of entries that were not written.
func (l *Log) Dropped() uint64 {
	if l == nil {
		return 0
	}
	return l.dropped.Load()
}

// Close writes what was taken, and waits for that no longer than the context.
func (l *Log) Close(ctx context.Context) {
	if l == nil {
		return
	}
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	signal(l.wake)
	signal(l.full)
	select {
	case <-l.done:
	case <-ctx.Done():
	}
}

// run writes what has come, a moment after its first line.
func (l *Log) run() {
	defer close(l.done)
	var lines []byte
	for last := false; !last; {
		<-l.wake
		l.gather()
		var count uint64
		l.mu.Lock()
		lines, l.pending = l.pending, lines[:0]
		count, l.lines, last = l.lines, 0, l.closed
		l.mu.Unlock()
		if len(lines) == 0 {
			continue
		}
		if _, err := l.out.Write(lines); err != nil {
			l.dropped.Add(count)
		}
	}
}

// gather waits for more to write at once.
func (l *Log) gather() {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.full:
	}
}
