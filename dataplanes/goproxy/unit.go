package goproxy

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/listen"
	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
	"github.com/sluice-gateway/sluice/dataplanes/internal/pace"
	"github.com/sluice-gateway/sluice/dataplanes/internal/trail"
	"github.com/sluice-gateway/sluice/dataplanes/internal/unbound"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/h3"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// unit serves one owner. Its methods are called by one goroutine, but for those
// of exchange.Handler.
type unit struct {
	shared  *shared
	trail   trail.Trail
	current atomic.Pointer[generation]
	sockets *listen.Sockets
	// requests are those under way, tapes what is kept of their bodies.
	requests guard.Budget
	tapes    *upstream.Tapes
	servers  map[netip.AddrPort]*portServers
	// failed are addresses that could not be bound; they are tried again.
	failed map[netip.AddrPort]error
	// datagrams are the sockets of UDP, failedDatagrams those not bound.
	datagrams       map[netip.AddrPort]*datagrams
	failedDatagrams map[netip.AddrPort]error
	// failedQUIC are addresses at which HTTP/3 is not served, though it is asked for.
	failedQUIC map[netip.AddrPort]error
	// announced are the values of Alt-Svc by listener port; nil where HTTP/3 is
	// served at none.
	announced atomic.Pointer[map[uint16]string]
}

var _ exchange.Handler = (*unit)(nil)

// portServers are the servers of one socket: connections outlive the settings
// that they were accepted with, and stay with their server.
type portServers struct {
	settings ir.Settings
	now      atomic.Pointer[wire.Server]
	// before are retired, and may have connections still.
	before []*wire.Server
	// streams are the connections that carry no requests; nil while there were
	// none.
	streams *streams
	// h3 is nil while the socket had no connections of HTTP/3.
	h3 *h3.Server
}

// serve hands a connection to the server of now, which is not the one of when
// its handshake began.
func (p *portServers) serve(c net.Conn) {
	for !p.now.Load().ServeConn(c) {
	}
}

// replace puts a server in the place of the last one.
func (p *portServers) replace(next *wire.Server) {
	if last := p.now.Swap(next); last != nil {
		last.Retire()
		p.before = append(p.before, last)
	}
}

func newUnit(s *shared) *unit {
	return &unit{
		shared: s, trail: trail.New(), sockets: listen.NewSockets(s.door, s.guard), tapes: upstream.NewTapes(s.metrics.TapeFull),
		servers: map[netip.AddrPort]*portServers{}, datagrams: map[netip.AddrPort]*datagrams{},
	}
}

// apply puts an assignment in force: the table first, so that no socket is open
// before its requests can be answered.
func (u *unit) apply(a dataplanes.Assignment) dataplanes.Outcome {
	last := u.current.Load()
	u.tapes.Bound(a.Unit.Proxy.Settings.Limits.RetryBufferBytes)
	next := build(a, last, lasting{u.shared, u.tapes})
	u.current.Store(next)
	if last != nil {
		last.pools.Retire(next.pools)
		u.forget(last, next)
		u.retireStreams(next)
	}
	u.shared.metrics.Swapped()
	u.bind(next)
	return u.outcome()
}

// rebind tries addresses again that could not be bound, and says whether that
// changed anything.
func (u *unit) rebind() bool {
	before := u.unbound()
	if before == 0 {
		return false
	}
	u.bind(u.current.Load())
	return u.unbound() != before
}

// unbound is how many sockets could not be bound.
func (u *unit) unbound() int { return len(u.failed) + len(u.failedDatagrams) + len(u.failedQUIC) }

func (u *unit) bind(g *generation) {
	want := map[netip.AddrPort]*listen.Port{}
	for _, p := range g.config.Ports {
		if addr := g.address(p.Port); addr.IsValid() && p.Protocol != ir.UDP {
			want[addr] = u.port(g, p, addr)
		}
	}
	u.failed = u.sockets.Apply(want)
	for addr, servers := range u.servers {
		if want[addr] == nil {
			delete(u.servers, addr)
			u.drain(servers, g.config.Settings.Timeouts.Drain)
		}
	}
	u.bindUDP(g, want)
}

func (u *unit) port(g *generation, p *order.Port, addr netip.AddrPort) *listen.Port {
	const handshake = 10 * time.Second
	port := &listen.Port{
		Number: p.Port, MaxConnections: g.config.Settings.Limits.Connections,
		HandshakeTimeout: handshake, Stall: time.Duration(g.config.Settings.Timeouts.Stall),
		Serve: u.serves(g, p, addr), Proxy: g.proxyProtocol(p.Port),
	}
	if p.HTTP3 {
		port.QUIC = u.quic(g, addr)
	}
	port.Least = pace.Over(g.config.Settings.Limits.MinBodyBytesPerSecond, port.Stall)
	if p.Protocol == ir.HTTPS || p.Protocol == ir.TLS {
		port.TLS = g.findTLS(p.Port)
		port.Pass = g.findPass(p)
	}
	return port
}

// serves returns who takes a port's connections: those with requests go to a
// server of HTTP, the others to streams.
func (u *unit) serves(g *generation, p *order.Port, addr netip.AddrPort) func(net.Conn) {
	if len(p.Streams) == 0 {
		return u.server(g, addr).serve
	}
	open := u.streams(addr)
	if len(p.Listeners) == 0 {
		return open.ServeConn
	}
	requests := u.server(g, addr)
	return func(c net.Conn) {
		if about := aboutConn(c); about.Passed || about.Stream {
			open.ServeConn(c)
			return
		}
		requests.serve(c)
	}
}

func (u *unit) streams(addr netip.AddrPort) *streams {
	if u.servers[addr] == nil {
		u.servers[addr] = &portServers{}
	}
	servers := u.servers[addr]
	if servers.streams == nil {
		servers.streams = newStreams(u)
	}
	return servers.streams
}

// server returns the servers of a socket, with the one for new connections as
// the settings are now.
func (u *unit) server(g *generation, addr netip.AddrPort) *portServers {
	settings := g.config.Settings
	servers := u.servers[addr]
	if servers == nil {
		servers = &portServers{}
		u.servers[addr] = servers
	}
	if servers.now.Load() == nil || !sameServer(servers.settings, settings) {
		servers.settings = settings
		servers.replace(wire.New(u.door(settings)))
	}
	servers.before = slices.DeleteFunc(servers.before, (*wire.Server).Gone)
	return servers
}

// door is what clients are held to, whichever version they speak.
func (u *unit) door(s ir.Settings) wire.Config {
	return wire.Config{
		Handler: u, Timeouts: s.Timeouts, Limits: s.Limits,
		Slashes: requestpath.Slashes(s.Path.KeepEncodedSlashes),
		Refused: u.shared.metrics.ConnRefused, Panicked: u.shared.panicked,
	}
}

func sameServer(a, b ir.Settings) bool {
	return a.Timeouts == b.Timeouts && a.Limits == b.Limits && a.Path == b.Path
}

// drain lets the connections of a socket that was closed come to an end.
func (u *unit) drain(servers *portServers, bound ir.Duration) {
	for _, s := range servers.all() {
		u.shared.draining.Go(func() {
			ctx, cancel := drainContext(bound)
			defer cancel()
			s.Drain(ctx)
		})
	}
}

// drainer is what serves connections until they have ended.
type drainer interface{ Drain(context.Context) }

// all returns what has connections of the socket.
func (p *portServers) all() []drainer {
	var all []drainer
	for _, s := range p.before {
		all = append(all, s)
	}
	if now := p.now.Load(); now != nil {
		all = append(all, now)
	}
	if p.streams != nil {
		all = append(all, p.streams)
	}
	if p.h3 != nil {
		all = append(all, p.h3)
	}
	return all
}

func drainContext(bound ir.Duration) (context.Context, context.CancelFunc) {
	if bound <= 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), time.Duration(bound))
}

// stop closes the sockets and begins to drain; shared.draining ends with it.
func (u *unit) stop() {
	u.sockets.Close()
	g := u.current.Load()
	var draining sync.WaitGroup
	for _, s := range u.takeServers() {
		draining.Go(func() {
			ctx, cancel := drainContext(g.config.Settings.Timeouts.Drain)
			defer cancel()
			s.Drain(ctx)
		})
	}
	u.shared.draining.Go(func() {
		draining.Wait()
		g.pools.Retire(nil)
		u.forget(g, &generation{})
	})
}

// takeServers takes away all that has connections or sessions.
func (u *unit) takeServers() []drainer {
	var all []drainer
	for addr, servers := range u.servers {
		delete(u.servers, addr)
		all = append(all, servers.all()...)
	}
	for addr, d := range u.datagrams {
		delete(u.datagrams, addr)
		if !u.shared.stopping.Load() {
			// Sessions need their socket, and another unit may want its port.
			d.server.Close()
			continue
		}
		all = append(all, d.server)
	}
	return all
}

// outcome says what is in force.
func (u *unit) outcome() dataplanes.Outcome {
	g := u.current.Load()
	out := dataplanes.Outcome{Owner: g.config.Owner, Version: g.assignment.Version}
	out.Problems = append(out.Problems, g.problems...)
	for _, p := range g.config.Ports {
		addr := g.address(p.Port)
		out.Problems = append(out.Problems, aboutAll(p.All(), u.bindMessage(p, addr, g.assignment.PortOffset))...)
		out.Problems = append(out.Problems, aboutAll(p.Requests(), u.http3Message(p, addr))...)
	}
	return out
}

// aboutAll says the same of several listeners; nothing where there is no message.
func aboutAll(listeners []*ir.Listener, message string) []ir.Problem {
	if message == "" {
		return nil
	}
	var all []ir.Problem
	for _, l := range listeners {
		all = append(all, ir.Problem{Origin: ir.Origin{Object: l.Key.Owner, Section: l.Key.Section}, Message: message})
	}
	return all
}

func (u *unit) bindMessage(p *order.Port, addr netip.AddrPort, offset int) string {
	err := u.failed[addr]
	if p.Protocol == ir.UDP {
		err = u.failedDatagrams[addr]
	}
	return unbound.Message(unbound.Port{Number: p.Port, Offset: offset, At: addr}, err)
}

// forget takes the metrics of what has gone with it.
func (u *unit) forget(last, next *generation) {
	for key, name := range last.names {
		if _, stays := next.names[key]; !stays {
			u.shared.metrics.Forget(name, "")
		}
	}
	for origin, name := range last.routeNames {
		if _, stays := next.routeNames[origin]; !stays {
			u.shared.metrics.Forget("", name)
		}
	}
}
