package goproxy

import (
	"net/netip"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/accesslog"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/admin"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/table"
	"github.com/sluice-gateway/sluice/ir"
)

// passage is what there is to say of one connection or session of layer 4.
type passage struct {
	generation *generation
	protocol   ir.Protocol
	began      time.Time
	client     netip.Addr
	serverName string
	listener   *table.Listener
	rule       *table.Rule
	backend    *ir.BackendKey
	endpoint   netip.AddrPort
	tries      int
	// toBackend and toClient are bytes.
	toBackend, toClient int64
	flag                string
}

func (p *passage) metric() admin.Stream {
	m := admin.Stream{Reason: p.flag}
	if p.listener != nil {
		m.Listener = p.generation.names[p.listener.Config.Key]
	}
	if p.rule != nil {
		m.Route = routeName(p.rule.Origin.Object)
	}
	return m
}

// record logs a passage that has ended.
func (s *shared) record(p *passage) {
	if s.log == nil || !p.generation.config.Settings.AccessLog.Enabled {
		return
	}
	m := p.metric()
	e := &accesslog.Entry{
		Time: p.began, Client: p.client.Unmap().String(), Host: p.serverName, Protocol: string(p.protocol),
		Bytes: p.toClient, BytesIn: p.toBackend, Millis: time.Since(p.began).Milliseconds(),
		Listener: m.Listener, Route: m.Route, Tries: p.tries, Flags: p.flag,
	}
	if p.rule != nil {
		e.Rule = &p.rule.Origin.Rule
	}
	if p.backend != nil {
		e.Backend = backendName(*p.backend)
	}
	if p.endpoint.IsValid() {
		e.Endpoint = p.endpoint.String()
	}
	s.log.Write(e)
}

func (s *stream) passage() *passage {
	p := &passage{
		generation: s.generation, protocol: ir.TCP, began: s.began, client: s.about.Client.Addr(),
		serverName: s.about.ServerName, listener: s.listener, rule: s.rule,
		toBackend: s.result.ToBackend, toClient: s.result.ToClient, flag: s.flag,
	}
	if s.about.TLS || s.about.Passed {
		p.protocol = ir.TLS
	}
	if s.use != nil {
		p.backend = s.use.Backend
	}
	if s.upstream != nil {
		p.endpoint, p.tries = s.upstream.Endpoint, s.upstream.Tries
	}
	return p
}

func (s *stream) listenerName() string { return s.passage().metric().Listener }

// refused counts and logs a connection that met no backend.
func (s *stream) refused() {
	p := s.passage()
	s.unit.shared.metrics.StreamRefused(p.metric())
	s.unit.shared.record(p)
}

// ended counts and logs a connection that was relayed.
func (s *stream) ended() {
	p := s.passage()
	s.unit.shared.metrics.StreamEnded(p.metric())
	s.unit.shared.record(p)
}
