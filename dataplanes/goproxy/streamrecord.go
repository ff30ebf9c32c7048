package goproxy

import (
	"net/netip"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/table"
	"github.com/sluice-gateway/sluice/dataplanes/internal/accesslog"
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
	"github.com/sluice-gateway/sluice/ir"
)

// passage is what there is to say of one connection or session of layer 4. It
// holds nothing of a generation but a rule: a passage may last for days, and a
// generation is much.
type passage struct {
	logged     bool
	protocol   ir.Protocol
	began      time.Time
	client     netip.Addr
	serverName string
	key        ir.ListenerKey
	// listener is the name; empty where none was found.
	listener string
	rule     *table.Rule
	backend  *ir.BackendKey
	endpoint netip.AddrPort
	tries    int
	// toBackend and toClient are bytes.
	toBackend, toClient int64
	flag                string
}

func newPassage(g *generation, protocol ir.Protocol, client netip.Addr) *passage {
	return &passage{logged: g.config.Settings.AccessLog.Enabled, protocol: protocol, began: time.Now(), client: client}
}

// meets takes down whose the passage is.
func (p *passage) meets(g *generation, l *table.Listener) {
	p.key, p.listener = l.Config.Key, g.names[l.Config.Key]
}

func (p *passage) metric() admin.Stream {
	m := admin.Stream{Listener: p.listener, Reason: p.flag}
	if p.rule != nil {
		m.Route = routeName(p.rule.Origin.Object)
	}
	return m
}

// record logs a passage that has ended.
func (s *shared) record(p *passage) {
	if s.log == nil || !p.logged {
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

// refused counts and logs a connection that met no backend.
func (s *stream) refused(flag string) {
	s.passage.flag = flag
	s.unit.shared.metrics.StreamRefused(s.passage.metric())
	s.unit.shared.record(s.passage)
}

// ended counts and logs a connection that was relayed.
func (s *stream) ended() {
	s.unit.shared.metrics.StreamEnded(s.passage.metric())
	s.unit.shared.record(s.passage)
}
