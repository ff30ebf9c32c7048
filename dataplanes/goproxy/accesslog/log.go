package accesslog

import (
	"bufio"
	"context"
	"encoding/json"
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

const depth = 8192

// Log takes entries and writes them in order.
type Log struct {
	entries chan *Entry
	out     *bufio.Writer
	dropped atomic.Uint64
	mu      sync.RWMutex
	closed  bool
	done    chan struct{}
}

// New returns a log that writes to w.
func New(w io.Writer) *Log {
	l := &Log{entries: make(chan *Entry, depth), out: bufio.NewWriterSize(w, 64<<10), done: make(chan struct{})}
	go l.run()
	return l
}

// Write takes an entry, or counts it as dropped where the log is not read fast
// enough or has been closed. A nil log takes nothing.
func (l *Log) Write(e *Entry) {
	if l == nil {
		return
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		l.dropped.Add(1)
		return
	}
	select {
	case l.entries <- e:
	default:
		l.dropped.Add(1)
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
	if !l.closed {
		l.closed = true
		close(l.entries)
	}
	l.mu.Unlock()
	select {
	case <-l.done:
	case <-ctx.Done():
	}
}

// run flushes whenever nothing waits, so that a quiet proxy's log is current.
func (l *Log) run() {
	defer close(l.done)
	for e := range l.entries {
		l.print(e)
		if len(l.entries) == 0 {
			l.flush()
		}
	}
	l.flush()
}

func (l *Log) print(e *Entry) {
	line, err := json.Marshal(e)
	if err != nil {
		l.dropped.Add(1)
		return
	}
	// A failed write shows in flush: bufio keeps its first error.
	_, _ = l.out.Write(append(line, '\n'))
}

// flush lets a writer that failed once try again with the next lines.
func (l *Log) flush() {
	if err := l.out.Flush(); err != nil {
		l.dropped.Add(1)
	}
}
