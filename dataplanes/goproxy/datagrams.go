package goproxy

import (
	"net/netip"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/table"
	"github.com/sluice-gateway/sluice/dataplanes/internal/datagram"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
	"github.com/sluice-gateway/sluice/ir"
)

// datagrams is one UDP port of a unit: what its sessions ask the generation of
// now.
type datagrams struct {
	unit   *unit
	port   uint16
	server *datagram.Server
}

var _ datagram.Handler = (*datagrams)(nil)

// wantedDatagrams are the addresses of the generation's listeners of UDP. Those
// that are not wanted any more are closed: HTTP/3 may want them.
func (u *unit) wantedDatagrams(g *generation) map[netip.AddrPort]uint16 {
	want := map[netip.AddrPort]uint16{}
	for _, p := range g.config.Ports {
		if addr := g.address(p.Port); addr.IsValid() && p.Protocol == ir.UDP {
			want[addr] = p.Port
		}
	}
	for addr, d := range u.datagrams {
		if want[addr] != d.port {
			delete(u.datagrams, addr)
			d.server.Close()
		}
	}
	return want
}

// bindDatagrams binds the sockets that are wanted, and moves sessions that the
// generation leads elsewhere.
func (u *unit) bindDatagrams(want map[netip.AddrPort]uint16) {
	u.failedDatagrams = map[netip.AddrPort]error{}
	for addr, port := range want {
		if d := u.datagrams[addr]; d != nil {
			d.server.Recheck()
			continue
		}
		d := &datagrams{unit: u, port: port}
		var err error
		if d.server, err = datagram.Listen(addr, d); err != nil {
			u.failedDatagrams[addr] = err
			continue
		}
		u.datagrams[addr] = d
	}
}

// Limit is the settings' of now.
func (d *datagrams) Limit() int {
	return d.unit.current.Load().config.Settings.Limits.DatagramSessions
}

// Dropped counts a datagram that was not sent on.
func (d *datagrams) Dropped(reason string) { d.unit.shared.metrics.DatagramDropped(d.port, reason) }

// Open chooses an endpoint for a client.
func (d *datagrams) Open(client netip.AddrPort) (datagram.Target, bool) {
	g := d.unit.current.Load()
	p := newPassage(g, ir.UDP, client.Addr())
	session, flag := d.choose(g, p)
	if flag == "" && !d.unit.shared.admitSession() {
		flag = overloaded
	}
	if flag != "" {
		session.Release()
		// Not logged: anybody can send any number of datagrams that lead nowhere.
		d.Dropped(flag)
		return datagram.Target{}, false
	}
	metrics, name := d.unit.shared.metrics, p.listener
	metrics.StreamBegan(name)
	return datagram.Target{
		Endpoint: p.endpoint, Idle: time.Duration(g.config.Settings.Timeouts.DatagramIdle),
		Keep: func() bool { return d.keeps(p) },
		Done: func(r datagram.Result) {
			session.Release()
			d.unit.shared.leaveSession()
			p.toBackend, p.toClient, p.flag = r.ToBackend, r.ToClient, string(r.End)
			metrics.StreamMoved(name, r.ToBackend, r.ToClient)
			metrics.StreamEnded(p.metric())
			d.unit.shared.record(p)
		},
	}, true
}

// choose fills a passage in, and says why it cannot.
func (d *datagrams) choose(g *generation, p *passage) (session upstream.Session, flag string) {
	l, rule := d.find(g)
	switch {
	case l == nil:
		return session, "no_listener"
	case rule == nil:
		return session, "no_route"
	}
	p.meets(g, l)
	if flag := p.choose(rule); flag != "" {
		return session, flag
	}
	p.tries = 1
	session, err := g.pools.Endpoint(*p.backend, p.client)
	if err != nil {
		return session, failureKind(err)
	}
	p.endpoint = session.Endpoint
	return session, ""
}

// find returns the port's listener and its rule; nil where there is none.
func (d *datagrams) find(g *generation) (*table.Listener, *table.Rule) {
	port := g.table.Datagrams(d.port)
	if port == nil {
		return nil, nil
	}
	l := port.Listener("")
	if l == nil {
		return nil, nil
	}
	rule, _ := l.Stream("")
	return l, rule
}

// keeps says whether a session's listener still leads to its endpoint.
func (d *datagrams) keeps(p *passage) bool {
	g := d.unit.current.Load()
	l, rule := d.find(g)
	if l == nil || rule == nil || rule.Refused != "" || l.Config.Key != p.key {
		return false
	}
	for i := range rule.Uses {
		if b := rule.Uses[i].Backend; b != nil && *b == *p.backend {
			return g.pools.Serves(*b, p.endpoint)
		}
	}
	return false
}
