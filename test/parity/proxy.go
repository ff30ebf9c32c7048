package parity

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/echo"
	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
	"github.com/sluice-gateway/sluice/operator/source/dir"
	"github.com/sluice-gateway/sluice/operator/source/dir/schema"
)

// Proxy is a dataplane under test, run over a directory by the code that
// `sluice run` runs.
type Proxy struct {
	stop context.CancelFunc
	done chan error
	pool *echo.Pool

	mu       sync.Mutex
	snapshot engine.Snapshot
	problems []dir.Problem
	// generations are those that the directory has handed over.
	generations map[resources.Key]int64
	// events counts the changes of each object that were handed over.
	events  map[string]int
	log     []string
	changed chan struct{}
}

var (
	_ engine.Sink   = (*Proxy)(nil)
	_ source.Source = (*watched)(nil)
)

// ProxyOptions say what to run.
type ProxyOptions struct {
	Dataplane dataplanes.Dataplane
	// Controller is the controllerName of the case's GatewayClass.
	Controller string
	// Directory is what is served, Address where.
	Directory, Address string
	Resolve            engine.Resolve
	// Catalog is shared by all cases: compiling it is most of a case's work.
	Catalog *schema.Catalog
	// Metrics receives the proxy's; nil is nobody.
	Metrics *prometheus.Registry
}

// zone is where every proxy under test is.
const zone = "here"

// StartProxy serves a directory until Stop.
func StartProxy(opts ProxyOptions) (*Proxy, error) {
	bind, err := netip.ParseAddr(opts.Address)
	if err != nil {
		return nil, err
	}
	p := &Proxy{changed: make(chan struct{}), done: make(chan error, 1), generations: map[resources.Key]int64{}, events: map[string]int{}}
	files := dir.New(dir.Options{Root: opts.Directory, Report: p.report, Catalog: opts.Catalog})
	p.pool = echo.NewPool(files, false)
	controller := gatewayv1.GatewayController(opts.Controller)
	able := map[gatewayv1.GatewayController]feature.Set{controller: opts.Dataplane.Features()}
	e := engine.New(engine.Options{
		Source: &watched{Source: p.pool, proxy: p},
		FrontEnds: func(set *resources.Set) []engine.FrontEnd {
			return []engine.FrontEnd{gatewayapi.New(set, gatewayapi.Options{Controllers: able})}
		},
		Indexes:    gatewayapi.Indexes(),
		Dataplanes: map[gatewayv1.GatewayController]dataplanes.Dataplane{controller: opts.Dataplane},
		Sink:       p, Bind: bind, PortOffset: portOffset,
		Local:   dataplanes.Options{AccessLog: p, Zone: zone, Metrics: opts.Metrics},
		Resolve: opts.Resolve,
	})
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	go func() { p.done <- e.Run(ctx) }()
	return p, nil
}

// Stop drains the proxy and stops it.
func (p *Proxy) Stop() error {
	p.stop()
	err := <-p.done
	p.pool.Close()
	return err
}

// watched notes the generation of what a source hands over.
type watched struct {
	source.Source
	proxy *Proxy
}

// Run implements source.Source.
func (w *watched) Run(ctx context.Context, emit func(source.Batch)) error {
	return w.Source.Run(ctx, func(b source.Batch) {
		w.proxy.note(b.Events)
		emit(b)
	})
}

func (p *Proxy) note(events []resources.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range events {
		p.events[e.Key.String()]++
		delete(p.generations, e.Key)
		if e.Object != nil {
			p.generations[e.Key] = e.Object.GetGeneration()
		}
	}
	p.announce()
}

// Publish implements engine.Sink.
func (p *Proxy) Publish(s engine.Snapshot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.snapshot = s
	p.announce()
}

func (p *Proxy) report(problems []dir.Problem) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = problems
	p.announce()
}

// Write takes the access log.
func (p *Proxy) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, strings.TrimSpace(string(line)))
	return len(line), nil
}

func (p *Proxy) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Changed is closed at the next change of any status.
func (p *Proxy) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

// AccessLog returns the lines from one on, and how many there are.
func (p *Proxy) AccessLog(from int) ([]string, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.log[min(from, len(p.log)):]), len(p.log)
}

// Address is where the listeners of a Gateway ("namespace/name", or the only
// one) are.
func (p *Proxy) Address(gateway string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []string
	for _, u := range p.snapshot.Units {
		if u.Address.IsValid() && (gateway == "" || gateway == u.Owner.Namespace+"/"+u.Owner.Name) {
			found = append(found, u.Address.String())
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("gateway %q: %d Gateways are served by that name; name one", gateway, len(found))
	}
	return found[0], nil
}

// Holds reports whether a condition is there, of the generation that the
// directory has and in force in the proxy, and what is there now.
func (p *Proxy) Holds(u Until) (bool, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u.Problem != "" {
		return p.hasProblem(u.Problem)
	}
	found, good := 0, 0
	var lines []string
	for i := range p.snapshot.Units {
		unit := &p.snapshot.Units[i]
		settled := unit.Outcome != nil && unit.Outcome.Version == unit.Version || unit.Version == ""
		for _, r := range unit.Reports() {
			if r.Object.String() != u.Object {
				continue
			}
			fresh := r.Generation == p.generations[r.Object] && settled
			for j := range r.Subjects {
				if !u.names(&r.Subjects[j]) {
					continue
				}
				conditions := findings.Derive(&r.Subjects[j], r.Generation)
				found++
				if fresh && u.holds(conditions) {
					good++
				}
				lines = append(lines, describe(conditions))
			}
		}
	}
	return found > 0 && found == good, strings.Join(lines, "")
}

// Seen counts the changes of each object that were handed over so far.
func (p *Proxy) Seen() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.events)
}

// HasRead reports whether an object changed after so many changes, or is
// objected to.
func (p *Proxy) HasRead(id string, changes int) (bool, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := p.problemText()
	return p.events[id] > changes || strings.Contains(text, id), text
}

// Problems are what the directory's reader objects to, one a line.
func (p *Proxy) Problems() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.problemText()
}

func (p *Proxy) problemText() string {
	var lines []string
	for _, problem := range p.problems {
		if !problem.Note {
			lines = append(lines, problem.String())
		}
	}
	return strings.Join(lines, "\n")
}

func (p *Proxy) hasProblem(pattern string) (bool, string) {
	text := p.problemText()
	matches, err := regexp.MatchString(pattern, text)
	return matches && err == nil, text
}

// names reports whether a subject is the one that is meant.
func (u Until) names(s *findings.Subject) bool {
	switch s.Kind {
	case findings.Listener, findings.ListenerEntry:
		return u.Listener == string(s.Section) && u.Listener != ""
	case findings.Route, findings.Policy:
		return u.Parent == "" || s.Parent != nil && u.Parent == string(s.Parent.Name)
	default:
		return u.Listener == ""
	}
}

func (u Until) holds(conditions []metav1.Condition) bool {
	for _, c := range conditions {
		if c.Type != u.Type {
			continue
		}
		matches, err := regexp.MatchString(u.Message, c.Message)
		return string(c.Status) == u.Status && (u.Reason == "" || u.Reason == c.Reason) && matches && err == nil
	}
	return false
}

func describe(conditions []metav1.Condition) string {
	var lines []string
	for _, c := range conditions {
		lines = append(lines, fmt.Sprintf("\n  %s=%s %s (generation %d): %s", c.Type, c.Status, c.Reason, c.ObservedGeneration, c.Message))
	}
	return strings.Join(lines, "")
}
