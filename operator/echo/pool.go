package echo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
)

const (
	// Annotation on a Service asks for that many echo servers as its endpoints.
	Annotation = "sluice.dev/echo"
	// maxServers bounds the servers of one Service.
	maxServers = 64
)

// Pool is a source that adds echo servers to another: a Service that asks for
// them gets an EndpointSlice for each.
type Pool struct {
	inner source.Source
	// dry asks for no servers.
	dry bool
	// report takes failures whenever they change.
	report func([]Failure)
	// all gives a server to every Service without EndpointSlices, too.
	all bool

	services map[resources.Key]*corev1.Service
	slices   map[resources.Key]resources.Key
	running  map[resources.Key][]*Server
	// made are the events of slices that are in force.
	made map[resources.Key]*discoveryv1.EndpointSlice

	failed map[resources.Key]string
	told   []Failure
}

// Failure is why a Service has no echo servers although it asks for some.
type Failure struct {
	Service resources.Key
	// Field is the one that is to blame.
	Field   string
	Message string
}

var _ source.Source = (*Pool)(nil)

// NewPool lays a pool over a source. With all, every Service without
// EndpointSlices has one server.
func NewPool(inner source.Source, all bool) *Pool {
	return &Pool{
		inner: inner, all: all,
		services: map[resources.Key]*corev1.Service{}, slices: map[resources.Key]resources.Key{},
		running: map[resources.Key][]*Server{}, made: map[resources.Key]*discoveryv1.EndpointSlice{},
		failed: map[resources.Key]string{}, report: func([]Failure) {},
	}
}

// NewCheck lays over a source what finds the Failures that need no server, and
// starts none.
func NewCheck(inner source.Source) *Pool {
	p := NewPool(inner, false)
	p.dry = true
	return p
}

// Report has all failures told to a function whenever they change, from the
// goroutine of Run, after the objects that they are about were handed over. Call
// it before Run.
func (p *Pool) Report(to func([]Failure)) { p.report = to }

// Kinds implements source.Source.
func (p *Pool) Kinds() []resources.Kind { return p.inner.Kinds() }

// Run implements source.Source. The servers outlive it: see Close.
func (p *Pool) Run(ctx context.Context, emit func(source.Batch)) error {
	return p.inner.Run(ctx, func(b source.Batch) {
		for _, e := range b.Events {
			p.note(e)
		}
		b.Events = append(slices.Clone(b.Events), p.reconcile()...)
		emit(b)
		p.tell()
	})
}

// tell reports failures that are not those told last.
func (p *Pool) tell() {
	var now []Failure
	for _, key := range slices.SortedFunc(maps.Keys(p.failed), resources.Key.Compare) {
		now = append(now, Failure{Service: key, Field: "metadata.annotations[" + Annotation + "]", Message: p.failed[key]})
	}
	if !slices.Equal(now, p.told) {
		p.told = now
		p.report(now)
	}
}

// Close ends every server. Call it after Run has returned and nothing asks the
// servers any more.
func (p *Pool) Close() {
	for _, servers := range p.running {
		for _, s := range servers {
			s.Close()
		}
	}
}

func (p *Pool) note(e resources.Event) {
	switch e.Key.Kind {
	case "Service":
		delete(p.services, e.Key)
		if s, ok := e.Object.(*corev1.Service); ok {
			p.services[e.Key] = s
		}
	case "EndpointSlice":
		delete(p.slices, e.Key)
		if s, ok := e.Object.(*discoveryv1.EndpointSlice); ok {
			p.slices[e.Key] = resources.Key{Kind: "Service", Namespace: s.Namespace, Name: s.Labels[discoveryv1.LabelServiceName]}
		}
	}
}

// reconcile starts and ends servers, and returns the events of their slices.
func (p *Pool) reconcile() []resources.Event {
	clear(p.failed)
	wanted := map[resources.Key]*discoveryv1.EndpointSlice{}
	given := map[resources.Key]bool{}
	for _, service := range p.slices {
		given[service] = true
	}
	for _, key := range slices.SortedFunc(maps.Keys(p.services), resources.Key.Compare) {
		service := p.services[key]
		for i, server := range p.scale(key, p.count(service, given[key])) {
			slice := sliceOf(service, server, i)
			wanted[resources.Key{Kind: "EndpointSlice", Namespace: slice.Namespace, Name: slice.Name}] = slice
		}
	}
	for key := range p.running {
		if p.services[key] == nil {
			p.scale(key, 0)
			delete(p.running, key)
		}
	}
	return p.difference(wanted)
}

// count is the number of servers that a Service asks for.
func (p *Pool) count(s *corev1.Service, given bool) int {
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		return 0
	}
	if v, ok := s.Annotations[Annotation]; ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > maxServers {
			p.fail(s, fmt.Sprintf("%q is no number of echo servers: want 0 to %d", v, maxServers))
			return 0
		}
		return n
	}
	if p.all && !given {
		return 1
	}
	return 0
}

func (p *Pool) fail(s *corev1.Service, message string) {
	p.failed[resources.Key{Kind: resources.Service, Namespace: s.Namespace, Name: s.Name}] = message
}

// scale brings a Service to n servers; those that run already stay.
func (p *Pool) scale(key resources.Key, n int) []*Server {
	if p.dry {
		return nil
	}
	servers := p.running[key]
	for len(servers) > n {
		last := servers[len(servers)-1]
		// Requests that are under way are answered; nobody waits for them here.
		go last.Shutdown(context.Background())
		servers = servers[:len(servers)-1]
	}
	for len(servers) < n {
		server, err := Start(Options{Name: fmt.Sprintf("%s-%d", key.Name, len(servers)+1), Namespace: key.Namespace, Service: key.Name})
		if err != nil {
			p.fail(p.services[key], "no echo server can be started: "+err.Error())
			break
		}
		servers = append(servers, server)
	}
	p.running[key] = servers
	return servers
}

// difference is the events from the slices in force to those wanted.
func (p *Pool) difference(wanted map[resources.Key]*discoveryv1.EndpointSlice) []resources.Event {
	var events []resources.Event
	for key := range p.made {
		if wanted[key] == nil {
			events = append(events, resources.Event{Key: key})
		}
	}
	// A slice that is as it was changes no fact in the Set.
	for key, slice := range wanted {
		events = append(events, resources.Event{Key: key, Object: slice})
	}
	p.made = wanted
	slices.SortFunc(events, func(a, b resources.Event) int { return a.Key.Compare(b.Key) })
	return events
}

// sliceOf is the slice of one server: a slice has one number for each port, so
// servers with ports of their own need slices of their own.
func sliceOf(s *corev1.Service, server *Server, index int) *discoveryv1.EndpointSlice {
	ready, port := true, int32(server.Address().Port())
	slice := &discoveryv1.EndpointSlice{
		TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.Namespace, Name: fmt.Sprintf("%s-sluice-echo-%d", s.Name, index+1), Generation: 1,
			Labels: map[string]string{discoveryv1.LabelServiceName: s.Name, discoveryv1.LabelManagedBy: "echo.sluice.dev"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{server.Address().Addr().String()}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		}},
	}
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &p.Name, Port: &port, Protocol: &p.Protocol})
	}
	return slice
}
