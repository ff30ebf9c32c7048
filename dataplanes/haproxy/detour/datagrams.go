package detour

import (
	"context"
	"errors"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/datagram"
	"github.com/sluice-gateway/sluice/dataplanes/internal/unbound"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// sockets are the ports of UDP.
type sockets struct {
	agent *Agent

	mu     sync.Mutex
	bound  map[netip.AddrPort]*datagrams
	failed map[netip.AddrPort]error
}

// datagrams is one of them: what its sessions ask the generation of now.
type datagrams struct {
	agent  *Agent
	port   uint16
	server *datagram.Server
}

var _ datagram.Handler = (*datagrams)(nil)

// apply closes what is not wanted any more, binds what is, and moves sessions that the
// generation leads elsewhere.
func (s *sockets) apply(g *generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	want := map[netip.AddrPort]uint16{}
	for _, p := range g.in.Detours.Datagrams {
		if addr := g.address(p.Port); addr.IsValid() {
			want[addr] = p.Port
		}
	}
	for addr, d := range s.bound {
		if want[addr] != d.port {
			delete(s.bound, addr)
			d.server.Close()
		}
	}
	s.failed = map[netip.AddrPort]error{}
	for addr, port := range want {
		if d := s.bound[addr]; d != nil {
			d.server.Recheck()
			continue
		}
		d := &datagrams{agent: s.agent, port: port}
		var err error
		if d.server, err = datagram.Listen(addr, d); err != nil {
			s.failed[addr] = err
			continue
		}
		s.bound[addr] = d
	}
}

// rebind tries again what could not be bound, and says whether that has changed
// anything.
func (s *sockets) rebind(g *generation) bool {
	before := s.unbound()
	if before == 0 {
		return false
	}
	s.apply(g)
	return s.unbound() != before
}

func (s *sockets) unbound() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.failed)
}

func (s *sockets) problems(g *generation) []ir.Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []ir.Problem
	for _, p := range g.in.Detours.Datagrams {
		addr := g.address(p.Port)
		message := unbound.Message(unbound.Port{Number: p.Port, Offset: g.in.PortOffset, At: addr}, s.failed[addr])
		if message == "" {
			continue
		}
		for _, l := range p.All() {
			all = append(all, ir.Problem{Origin: ir.Origin{Object: l.Key.Owner, Section: l.Key.Section}, Message: message})
		}
	}
	return all
}

// drain serves the sessions that there are.
func (s *sockets) drain(ctx context.Context) {
	s.mu.Lock()
	bound := s.bound
	s.bound = map[netip.AddrPort]*datagrams{}
	s.mu.Unlock()
	var ends sync.WaitGroup
	for _, d := range bound {
		ends.Go(func() { d.server.Drain(ctx) })
	}
	ends.Wait()
}

// Limit is the settings' of now.
func (d *datagrams) Limit() int {
	return d.agent.current.Load().in.Unit.Proxy.Settings.Limits.DatagramSessions
}

// Dropped counts a datagram that was not sent on.
func (d *datagrams) Dropped(reason string) { d.agent.opts.Metrics.DatagramDropped(d.port, reason) }

// Open chooses an endpoint for a client.
func (d *datagrams) Open(client netip.AddrPort) (datagram.Target, bool) {
	g := d.agent.current.Load()
	s := &session{logged: g.in.Unit.Proxy.Settings.AccessLog.Enabled, client: client.Addr(), began: time.Now()}
	held, flag := d.choose(g, s)
	if flag == "" && !d.agent.admit() {
		flag = "overloaded"
	}
	if flag != "" {
		held.Release()
		// Not logged: anybody can send any number of datagrams that lead nowhere.
		d.Dropped(flag)
		return datagram.Target{}, false
	}
	d.agent.opts.Metrics.StreamBegan(s.listener)
	return datagram.Target{
		Endpoint: s.endpoint, Idle: time.Duration(g.in.Unit.Proxy.Settings.Timeouts.DatagramIdle),
		Keep: func() bool { return d.keeps(s) },
		Done: func(r datagram.Result) {
			held.Release()
			d.agent.leave()
			d.agent.record(s, r)
		},
	}, true
}

// choose fills a session in, and says why it cannot.
func (d *datagrams) choose(g *generation, s *session) (held upstream.Session, flag string) {
	l, rule := d.find(g)
	switch {
	case l == nil:
		return held, "no_listener"
	case rule == nil:
		return held, "no_route"
	}
	s.key, s.listener, s.rule = l.Key, listenerName(l.Key), rule
	if rule.Refused != "" {
		return held, "refused_rule"
	}
	use := pick(rule.Backends, rand.Uint64())
	if use == nil || use.Backend == nil {
		return held, "no_backend"
	}
	s.backend = *use.Backend
	held, err := g.pools.Endpoint(s.backend, s.client)
	if err != nil {
		return held, kindOf(err)
	}
	s.endpoint = held.Endpoint
	return held, ""
}

func kindOf(err error) string {
	var failure *upstream.Error
	if errors.As(err, &failure) {
		return string(failure.Kind)
	}
	return string(upstream.Broken)
}

// find returns the port's listener and its rule; nil where there is none.
func (d *datagrams) find(g *generation) (*ir.Listener, *ir.Rule) {
	for _, p := range g.in.Detours.Datagrams {
		if p.Port != d.port || len(p.Streams) == 0 {
			continue
		}
		// A port of UDP has one listener.
		s := p.Streams[0]
		for _, rule := range rules(s) {
			return s.Listener, rule
		}
		return s.Listener, nil
	}
	return nil, nil
}

// rules are those that a listener of UDP leads by: the first, if there is any.
func rules(s *order.Stream) []*ir.Rule {
	if s.Listener.Refused != "" || len(s.Hosts) == 0 || s.Hosts[0].Rule == nil {
		return nil
	}
	return []*ir.Rule{s.Hosts[0].Rule}
}

// pick chooses by weight; nil where nothing can be chosen. Equal draws choose alike.
func pick(uses []ir.BackendUse, draw uint64) *ir.BackendUse {
	var total uint64
	for i := range uses {
		total += uint64(max(0, uses[i].Weight))
	}
	place, _ := bits.Mul64(draw, total)
	for i := range uses {
		weight := uint64(max(0, uses[i].Weight))
		if place < weight {
			return &uses[i]
		}
		place -= weight
	}
	return nil
}

// keeps says whether a session's listener still leads to its endpoint.
func (d *datagrams) keeps(s *session) bool {
	g := d.agent.current.Load()
	l, rule := d.find(g)
	if l == nil || rule == nil || rule.Refused != "" || l.Key != s.key {
		return false
	}
	for i := range rule.Backends {
		if b := rule.Backends[i].Backend; b != nil && *b == s.backend {
			return g.pools.Serves(*b, s.endpoint)
		}
	}
	return false
}
