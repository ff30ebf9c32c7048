package detour

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/accesslog"
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
	"github.com/sluice-gateway/sluice/dataplanes/internal/datagram"
	"github.com/sluice-gateway/sluice/ir"
)

// session is what there is to say of one session of UDP. It holds nothing of a
// generation but a rule: it may last for days.
type session struct {
	logged   bool
	began    time.Time
	client   netip.Addr
	key      ir.ListenerKey
	listener string
	rule     *ir.Rule
	backend  ir.BackendKey
	endpoint netip.AddrPort
}

// record counts and logs a session that has ended.
func (a *Agent) record(s *session, r datagram.Result) {
	origin := &s.rule.Origin
	m := admin.Stream{
		Listener: s.listener, Route: fmt.Sprintf("%s/%s/%s", origin.Kind, origin.Namespace, origin.Name), Reason: string(r.End),
	}
	a.opts.Metrics.StreamMoved(s.listener, r.ToBackend, r.ToClient)
	a.opts.Metrics.StreamEnded(m)
	if a.opts.Log == nil || !s.logged {
		return
	}
	a.opts.Log.Write(&accesslog.Entry{
		Time: s.began, Client: s.client.Unmap().String(), Protocol: string(ir.UDP),
		Bytes: r.ToClient, BytesIn: r.ToBackend, Millis: time.Since(s.began).Milliseconds(),
		Listener: m.Listener, Route: m.Route, Rule: &origin.Rule, Tries: 1, Flags: m.Reason,
		Backend: fmt.Sprintf("%s/%s:%d", s.backend.Namespace, s.backend.Service, s.backend.Port), Endpoint: s.endpoint.String(),
	})
}

func listenerName(k ir.ListenerKey) string {
	return fmt.Sprintf("%s/%s/%s", k.Owner.Namespace, k.Owner.Name, k.Section)
}

// admit takes a place for a session of UDP, or says that there is none.
func (a *Agent) admit() bool {
	g := a.opts.Guard
	if g.Pressed() || !g.Sessions.Take(1) {
		return false
	}
	if !g.Clients.Take(1) {
		g.Sessions.Give(1)
		return false
	}
	return true
}

func (a *Agent) leave() {
	a.opts.Guard.Clients.Give(1)
	a.opts.Guard.Sessions.Give(1)
}
