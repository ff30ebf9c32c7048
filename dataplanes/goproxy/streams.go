package goproxy

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/proxyproto"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/table"
	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/relay"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
	"github.com/sluice-gateway/sluice/ir"
)

// streams are the connections of one socket that carry no requests. They outlive
// tables: a connection ends when its ends say so, or with its socket.
type streams struct {
	unit *unit
	mu   sync.Mutex
	open map[*stream]struct{}
	// closed is set once none may come any more.
	closed  bool
	running sync.WaitGroup
}

func newStreams(u *unit) *streams { return &streams{unit: u, open: map[*stream]struct{}{}} }

// ServeConn takes a connection of TLS, ended or passed on, or of plain TCP.
func (s *streams) ServeConn(c net.Conn) {
	one := newStream(s.unit, c)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		one.cancel()
		c.Close()
		return
	}
	s.open[one] = struct{}{}
	s.running.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.running.Done()
		one.serve()
		s.mu.Lock()
		delete(s.open, one)
		s.mu.Unlock()
	}()
}

// Drain serves what is open until it has ended or the context has, and then
// closes the rest.
func (s *streams) Drain(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		s.cut()
		<-ended
	}
}

// cut closes every connection.
func (s *streams) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for one := range s.open {
		one.cancel()
	}
}

// retire gives the connections of listeners that have gone as long as a drain
// lasts.
func (s *streams) retire(g *generation) {
	bound := time.Duration(g.config.Settings.Timeouts.Drain)
	s.mu.Lock()
	defer s.mu.Unlock()
	for one := range s.open {
		key := one.held.Load()
		if key == nil {
			continue
		}
		if _, stays := g.names[*key]; stays || bound <= 0 || !one.retired.CompareAndSwap(false, true) {
			continue
		}
		timer := time.AfterFunc(bound, one.cancel)
		context.AfterFunc(one.ctx, func() { timer.Stop() })
	}
}

func (u *unit) retireStreams(g *generation) {
	for _, servers := range u.servers {
		if servers.streams != nil {
			servers.streams.retire(g)
		}
	}
}

// stream is one connection on its way through the proxy.
type stream struct {
	unit    *unit
	conn    net.Conn
	about   *exchange.Conn
	passage *passage
	// generation and listener are those of now until the connection is relayed;
	// then nil.
	generation *generation
	listener   *table.Listener
	upstream   *upstream.Stream
	// held is the listener that the connection was let in by; retired is set once
	// that has gone.
	held    atomic.Pointer[ir.ListenerKey]
	retired atomic.Bool
	ctx     context.Context //nolint:containedctx // It is the connection's, as long as that lives.
	cancel  context.CancelFunc
}

func newStream(u *unit, c net.Conn) *stream {
	s := &stream{unit: u, generation: u.current.Load(), conn: c, about: aboutConn(c)}
	protocol := ir.TCP
	if s.about.TLS || s.about.Passed {
		protocol = ir.TLS
	}
	s.passage = newPassage(s.generation, protocol, s.about.Client.Addr())
	s.passage.serverName = s.about.ServerName
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// aboutConn finds what listen knows about a connection, below TLS if need be.
func aboutConn(c net.Conn) *exchange.Conn {
	if below, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = below.NetConn()
	}
	if carrier, ok := c.(exchange.Carrier); ok {
		return carrier.Exchange()
	}
	return &exchange.Conn{}
}

func (s *stream) serve() {
	defer s.cancel()
	defer s.conn.Close()
	if s.unit.shared.full() {
		s.refused(overloaded)
		return
	}
	defer s.unit.shared.guard.Requests.Give(1)
	flag := s.find()
	if flag == "" {
		flag = s.connect()
	}
	if flag != "" {
		s.refused(flag)
		return
	}
	s.relay()
}

// find looks the connection's rule up, and says why there is none.
func (s *stream) find() (flag string) {
	port := s.generation.table.Port(s.about.Port)
	if port == nil {
		return "no_listener"
	}
	if s.listener = port.Listener(s.about.ServerName); s.listener == nil {
		return "no_listener"
	}
	s.passage.meets(s.generation, s.listener)
	s.held.Store(&s.passage.key)
	if !s.fits() {
		return "stale_connection"
	}
	return s.choose()
}

// fits says whether the connection was let in as its listener lets clients in
// now: the table may have been swapped since its handshake.
func (s *stream) fits() bool {
	l := s.listener
	switch {
	case l.Config.Protocol == ir.TCP:
		return !s.about.TLS && !s.about.Passed
	case l.Config.Protocol != ir.TLS:
		return false
	case l.Passes():
		return s.about.Passed
	}
	demanded, held := s.generation.validation[l.Config.Key]
	return s.about.TLS && (!held || demanded == s.about.Validation)
}

func (s *stream) choose() (flag string) {
	rule, found := s.listener.Stream(s.about.ServerName)
	if !found {
		return "no_route"
	}
	return s.passage.choose(rule)
}

// choose draws a backend, and says why there is none.
func (p *passage) choose(rule *table.Rule) (flag string) {
	if rule == nil {
		return "no_backend"
	}
	p.rule = rule
	if rule.Refused != "" {
		return "refused_rule"
	}
	use := rule.Pick(rand.Uint64())
	if use == nil || use.Backend == nil {
		return "no_backend"
	}
	p.backend = use.Backend
	return ""
}

// connect opens the backend's side, with whom it speaks for where it asks.
func (s *stream) connect() (flag string) {
	opening := upstream.Opening{Backend: *s.passage.backend, Client: s.passage.client}
	if version := s.listener.Config.SendProxyProtocol; version != "" {
		opening.Greeting = proxyproto.Append(nil, version, proxyproto.Header{Source: s.about.Client, Destination: s.about.Local})
	}
	var err error
	s.upstream, err = s.generation.pools.Open(s.ctx, opening)
	s.passage.endpoint, s.passage.tries = s.upstream.Endpoint, s.upstream.Tries
	if err != nil {
		return failureKind(err)
	}
	return ""
}

func failureKind(err error) string {
	var failure *upstream.Error
	if errors.As(err, &failure) {
		return string(failure.Kind)
	}
	return string(upstream.Broken)
}

// relay moves bytes until both directions have ended.
func (s *stream) relay() {
	defer s.upstream.Release()
	defer s.upstream.Conn.Close()
	client, pending := s.client()
	backend, ok := s.upstream.Conn.(relay.Conn)
	if client == nil || !ok {
		s.refused(string(upstream.Broken))
		return
	}
	idle := time.Duration(s.generation.config.Settings.Timeouts.StreamIdle)
	// A connection may last for days, and would keep its tables for as long.
	s.generation, s.listener = nil, nil
	s.unit.shared.metrics.StreamBegan(s.passage.listener)
	job := relay.Job{Client: client, Backend: backend, Pending: pending, Idle: idle, Moved: s.moved}
	defer context.AfterFunc(s.ctx, job.Cut)()
	result := relay.Run(job)
	s.passage.toBackend, s.passage.toClient, s.passage.flag = result.ToBackend, result.ToClient, string(result.End)
	if s.ctx.Err() != nil {
		s.passage.flag = "stopped"
	}
	s.ended()
}

func (s *stream) moved(d relay.Direction, bytes int64) {
	if d == relay.ToBackend {
		s.unit.shared.metrics.StreamMoved(s.passage.listener, bytes, 0)
		return
	}
	s.unit.shared.metrics.StreamMoved(s.passage.listener, 0, bytes)
}

// client is the client's side as bytes are moved on it: without what listen adds
// to it where it is plain, so that the kernel can move them.
func (s *stream) client() (client relay.Conn, pending []byte) {
	from := s.conn
	if bare, ok := from.(interface{ Bare() (net.Conn, []byte) }); ok {
		from, pending = bare.Bare()
	}
	client, _ = from.(relay.Conn)
	return client, pending
}
