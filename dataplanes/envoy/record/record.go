package record

import (
	"bytes"
	"io"
	"maps"
	"strconv"
	"strings"
	"sync"

	"github.com/sluice-gateway/sluice/dataplanes/agent/records"
	"github.com/sluice-gateway/sluice/dataplanes/internal/accesslog"
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
	envoy "github.com/sluice-gateway/sluice/translators/envoy"
)

// Unit reads what the Envoy of one unit writes to its standard output.
type Unit struct {
	metrics *admin.Metrics
	log     *accesslog.Log

	mu      sync.Mutex
	config  *envoy.Config
	pending []byte
	// skipping is true until the end of a line that is too long for a line.
	skipping bool
	known    map[string]*known
	// backends are those of clusters, by name.
	backends map[string]string
	// active are streams that have a backend and have not ended, by listener.
	active map[string]int
	line   line
	event  event
}

var _ io.Writer = (*Unit)(nil)

// known is what the name of a route says, read once.
type known struct {
	envoy.Named
	rule *int
}

// longest bounds a line, in bytes: what clients write of it is bounded by what
// headers may have, and each byte of it takes six at most.
const longest = 1 << 20

// mostKnown bounds the names that are kept; they come from objects, but all those
// of a year are many.
const mostKnown = 100_000

// NewUnit returns a reader whose lines count in metrics, and are logged where log
// is not nil.
func NewUnit(metrics *admin.Metrics, log *accesslog.Log) *Unit {
	return &Unit{metrics: metrics, log: log, known: map[string]*known{}, backends: map[string]string{}, active: map[string]int{}}
}

// Use says what is in force from now on. The metrics of what has gone go with it.
func (u *Unit) Use(config *envoy.Config) {
	u.mu.Lock()
	defer u.mu.Unlock()
	last := u.config
	u.config = config
	if last != nil && last != config {
		records.Forget(u.metrics, last, config)
	}
}

// Fell says that the process has ended: what it had begun never does.
func (u *Unit) Fell() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pending, u.skipping = nil, false
	clear(u.active)
}

// Active returns how many streams are open, by listener.
func (u *Unit) Active() map[string]int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return maps.Clone(u.active)
}

// Write takes lines, or parts of them. It never fails.
func (u *Unit) Write(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	end := bytes.LastIndexByte(p, '\n') + 1
	if end > 0 {
		// One text for all lines: what is logged of them are parts of it.
		u.lines(string(append(u.pending, p[:end]...)))
		u.pending = u.pending[:0]
	}
	u.pending = append(u.pending, p[end:]...)
	if len(u.pending) > longest {
		u.pending, u.skipping = nil, true
	}
	return len(p), nil
}

func (u *Unit) lines(text string) {
	for one := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		switch {
		case u.skipping:
			u.skipping = false
		case u.line.parse(one):
			u.take(&u.line)
		}
	}
}

// take counts and logs a line.
func (u *Unit) take(l *line) {
	defer records.Survive()
	of := u.whose(l)
	if l[envoy.LogKind] == "TcpUpstreamConnected" {
		u.active[of.Listener]++
		return
	}
	e := &u.event
	e.read(l, of, u.backendOf(l[envoy.LogCluster]))
	if l.isStream() {
		u.endStream(e)
	} else {
		u.metrics.Count(e.request())
		if e.shed != "" {
			u.metrics.Shed(e.shed)
		}
	}
	if u.log != nil && u.config != nil && u.config.Logs() {
		u.log.Write(&e.entry)
	}
}

func (u *Unit) endStream(e *event) {
	if e.entry.Protocol != "UDP" && u.active[e.entry.Listener] > 0 && met(e.entry.Flags) {
		u.active[e.entry.Listener]--
	}
	u.metrics.StreamRefused(admin.Stream{Listener: e.entry.Listener, Route: e.entry.Route, Reason: e.entry.Flags})
}

// met reports whether a stream had a backend before it ended so.
func met(flag string) bool {
	switch flag {
	case "", "idle", "stopped", clientGone, broken:
		return true
	default:
		return false
	}
}

// isStream reports whether a line is of layer 4.
func (l *line) isStream() bool {
	return strings.HasPrefix(l[envoy.LogKind], "Tcp") || strings.HasPrefix(l[envoy.LogKind], "Udp")
}

// whose returns what took a request or stream.
func (u *Unit) whose(l *line) *known {
	if l.refused() {
		// No request was understood, so nobody's host was asked for.
		return &known{}
	}
	if name := l[envoy.LogRoute]; name != "" && name != noRoute {
		if k := u.known[name]; k != nil {
			return k
		}
		return u.learn(name)
	}
	if u.config == nil {
		return &known{}
	}
	if l.isStream() {
		return u.whoseStream(l)
	}
	of := u.config.Names(l[envoy.LogDoor], canonical(l[envoy.LogHost]))
	if of.Flag == "" {
		of.Flag = noRoute
	}
	return newKnown(of)
}

func (u *Unit) whoseStream(l *line) *known {
	of := u.config.Names(l[envoy.LogDoor], l[envoy.LogHost])
	if strings.HasPrefix(l[envoy.LogKind], "Udp") {
		of.Backend = u.config.Backend(l[envoy.LogDoor], l[envoy.LogEndpoint])
	}
	return newKnown(of)
}

// noRoute is what the answer to a request without a route is called.
const noRoute = "no_route"

// refused reports whether a request was turned away for its bytes, by Envoy's
// codec or by a script of ours.
func (l *line) refused() bool {
	return !l.isStream() && (l[envoy.LogMethod] == "" || l[envoy.LogSaid] != "" || l[envoy.LogDetails] == "missing_host_header")
}

// learn keeps a copy: the name is a part of many lines.
func (u *Unit) learn(name string) *known {
	if len(u.known) >= mostKnown {
		clear(u.known)
	}
	name = strings.Clone(name)
	k := newKnown(envoy.ParseRoute(name))
	u.known[name] = k
	return k
}

// backendOf is the backend that a cluster leads to; empty for none.
func (u *Unit) backendOf(cluster string) string {
	if cluster == "" {
		return ""
	}
	if backend, ok := u.backends[cluster]; ok {
		return backend
	}
	if len(u.backends) >= mostKnown {
		clear(u.backends)
	}
	cluster = strings.Clone(cluster)
	u.backends[cluster] = envoy.ParseCluster(cluster)
	return u.backends[cluster]
}

func newKnown(of envoy.Named) *known {
	k := &known{Named: of}
	if n, err := strconv.Atoi(of.Rule); err == nil {
		k.rule = &n
	}
	return k
}
