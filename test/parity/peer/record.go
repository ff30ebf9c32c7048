package peer

import (
	"net/http"
	"sync"
)

// Seen is one request as an endpoint got it; it is also the JSON answer of an
// echo endpoint.
type Seen struct {
	Backend  string              `json:"backend"`
	Endpoint string              `json:"endpoint"`
	Method   string              `json:"method"`
	Path     string              `json:"path"`
	Host     string              `json:"host"`
	Proto    string              `json:"proto"`
	Headers  map[string][]string `json:"headers"`
	Trailers map[string][]string `json:"trailers,omitempty"`
	Body     string              `json:"body,omitempty"`
	// Length is the number of bytes of the body that arrived.
	Length int64 `json:"length"`
	// SNI, ALPN and ClientCN are empty without TLS.
	SNI      string `json:"sni,omitempty"`
	ALPN     string `json:"alpn,omitempty"`
	ClientCN string `json:"clientCN,omitempty"`
	// Connection tells the connections of an endpoint apart.
	Connection string `json:"connection,omitempty"`
}

// ID is the step that a request belongs to.
func (s *Seen) ID() string { return http.Header(s.Headers).Get("X-Parity-Id") }

// Record keeps every request that reached an endpoint. It is safe for
// concurrent use.
type Record struct {
	mu       sync.Mutex
	seen     []*Seen
	failures map[string]int
}

// NewRecord returns an empty record.
func NewRecord() *Record { return &Record{failures: map[string]int{}} }

// Add keeps one request.
func (r *Record) Add(s *Seen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, s)
}

// Arrived returns the requests of a step that reached a backend, in the order
// in which they came.
func (r *Record) Arrived(backend, id string) []*Seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []*Seen
	for _, s := range r.seen {
		if s.Backend == backend && s.ID() == id {
			found = append(found, s)
		}
	}
	return found
}

// fails counts one request of a step at a backend and reports whether it is
// among the first n.
func (r *Record) fails(backend, id string, n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := backend + " " + id
	r.failures[key]++
	return r.failures[key] <= n
}
