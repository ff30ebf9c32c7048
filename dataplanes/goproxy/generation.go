package goproxy

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/listen"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/table"
	"github.com/sluice-gateway/sluice/dataplanes/internal/filter"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
	translator "github.com/sluice-gateway/sluice/translators/goproxy"
)

// generation is all that requests read of one assignment. It never changes.
type generation struct {
	assignment dataplanes.Assignment
	config     *translator.Config
	table      *table.Table
	pools      *upstream.Pools
	tls        map[ir.ListenerKey]prepared
	// validation names what a listener demands of client certificates; only
	// listeners that turn clients away without a valid one are here.
	validation map[ir.ListenerKey]string
	names      map[ir.ListenerKey]string
	// routeNames and backendNames are for logs and metrics.
	routeNames   map[ir.Object]string
	backendNames map[ir.BackendKey]string
	problems     []ir.Problem
	sessions     *filter.Sessions
}

// lasting is what a unit's generations have in common.
type lasting struct {
	*shared
	tapes *upstream.Tapes
}

// build compiles an assignment. It never fails as a whole: what cannot be
// served is a problem, and is refused when it is asked for.
func build(a dataplanes.Assignment, last *generation, common lasting) *generation {
	g := &generation{
		assignment: a, tls: map[ir.ListenerKey]prepared{},
		validation: map[ir.ListenerKey]string{}, names: map[ir.ListenerKey]string{},
	}
	var lastConfig *translator.Config
	var lastTable *table.Table
	var lastPools *upstream.Pools
	if last != nil {
		lastConfig, lastTable, lastPools = last.config, last.table, last.pools
	}
	g.sessions = sessionsOf(a.SessionKey, last, common)
	g.config = translator.Translate(a.Unit, lastConfig)
	g.table, g.problems = table.Compile(g.config, lastTable)
	g.pools = upstream.Next(lastPools, upstream.Input{
		Backends: g.config.Backends, Certificates: byKey(g.config.Certificates), Endpoints: g.config.Endpoints,
		Connect: g.config.Settings.Timeouts.Connect, Place: common.place, Watcher: watcher{common.metrics},
		Tapes: common.tapes, Idle: common.guard.Idle,
		Naming: g.sessions,
		ID: func(of ir.EndpointsKey, e ir.Endpoint) upstream.ID {
			return upstream.ID(g.sessions.ID(of, e))
		},
	})
	g.listeners(last)
	g.nameAll(last)
	return g
}

// sessionsOf returns the sessions of a key: those of the last generation where
// it has the same, as endpoints are named by them.
func sessionsOf(key ir.Secret, last *generation, common lasting) *filter.Sessions {
	switch {
	case key == "":
		return common.sessions
	case last != nil && last.assignment.SessionKey == key:
		return last.sessions
	default:
		return filter.NewSessions([]byte(key))
	}
}

// nameAll makes the names that each request is logged with, or takes them over.
func (g *generation) nameAll(last *generation) {
	routes := g.assignment.Unit.Proxy.Routes
	g.routeNames = make(map[ir.Object]string, len(routes))
	g.backendNames = make(map[ir.BackendKey]string, len(g.config.Backends))
	for _, route := range routes {
		name, known := "", false
		if last != nil {
			name, known = last.routeNames[route.Origin]
		}
		if !known {
			name = routeName(route.Origin)
		}
		g.routeNames[route.Origin] = name
	}
	for _, backend := range g.config.Backends {
		g.backendNames[backend.Key] = backendName(backend.Key)
	}
}

func byKey(certificates []*ir.Certificate) map[ir.CertificateKey]*ir.Certificate {
	m := make(map[ir.CertificateKey]*ir.Certificate, len(certificates))
	for _, c := range certificates {
		m[c.Key] = c
	}
	return m
}

// prepared is a TLS listener and what it was made of.
type prepared struct {
	listen.TLSListener
	from listen.TLSInput
	err  error
}

// listeners prepares what handshakes and logs need of each listener.
func (g *generation) listeners(last *generation) {
	certificates := byKey(g.config.Certificates)
	for _, port := range g.config.Ports {
		for _, l := range port.All() {
			g.names[l.Key] = listenerName(l.Key)
			if l.Protocol == ir.HTTPS || l.Protocol == ir.TLS && l.TLS != nil && l.TLS.Mode != ir.Passthrough {
				g.prepare(last, listen.TLSInput{
					Listener: l, Certificates: namedBy(l, certificates), Settings: g.config.Settings.TLS, QUIC: port.HTTP3,
				})
			}
		}
	}
}

// prepare takes a listener over from the last generation where it can: reading
// a private key takes longer than all the rest of an edit.
func (g *generation) prepare(last *generation, in listen.TLSInput) {
	key := in.Listener.Key
	p, known := prepared{}, false
	if last != nil {
		p, known = last.tls[key]
	}
	if !known || !reflect.DeepEqual(p.from, in) {
		p = prepared{from: in}
		p.TLSListener, p.err = listen.NewTLSListener(in)
	}
	g.tls[key] = p
	if p.err != nil && in.Listener.Refused == "" {
		// What is refused has its conditions already.
		g.object(in.Listener, p.err.Error())
	}
	if t := in.Listener.TLS; t != nil && t.ClientValidation != nil && t.ClientValidation.Required {
		// A listener that is refused demands no less.
		g.validation[key] = listen.ValidationName(t.ClientValidation)
	}
}

// namedBy returns the certificates that a listener names.
func namedBy(l *ir.Listener, all map[ir.CertificateKey]*ir.Certificate) map[ir.CertificateKey]*ir.Certificate {
	named := map[ir.CertificateKey]*ir.Certificate{}
	if l.TLS == nil {
		return named
	}
	for _, key := range l.TLS.Certificates {
		if c := all[key]; c != nil {
			named[key] = c
		}
	}
	return named
}

func (g *generation) object(l *ir.Listener, message string) {
	g.problems = append(g.problems, ir.Problem{
		Origin: ir.Origin{Object: l.Key.Owner, Section: l.Key.Section}, Message: message,
	})
}

func listenerName(k ir.ListenerKey) string {
	return fmt.Sprintf("%s/%s/%s", k.Owner.Namespace, k.Owner.Name, k.Section)
}

func routeName(o ir.Object) string {
	return o.Kind + "/" + o.Namespace + "/" + o.Name
}

// address is where a port of the assignment is bound; not valid for a port that
// the offset puts out of range.
func (g *generation) address(port uint16) netip.AddrPort {
	number := int(port) + g.assignment.PortOffset
	if number < 1 || number > 65535 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(g.assignment.Address, uint16(number))
}

// findTLS returns what handshakes of a port look their listener up with: the
// table's own look-up, so that a handshake and the requests after it can never
// disagree about whose they are.
func (g *generation) findTLS(port uint16) func(string) (listen.TLSListener, bool) {
	p := g.table.Port(port)
	return func(serverName string) (listen.TLSListener, bool) {
		l := p.Listener(serverName)
		if l == nil {
			return listen.TLSListener{}, false
		}
		p, ok := g.tls[l.Config.Key]
		return p.TLSListener, ok
	}
}

// findPass returns what says whether a port's listener for an SNI passes TLS on;
// nil where none of them does, so that hellos need not be read ahead.
func (g *generation) findPass(port *order.Port) func(string) bool {
	passes := func(s *order.Stream) bool { return s.Listener.TLS != nil && s.Listener.TLS.Mode == ir.Passthrough }
	if !slices.ContainsFunc(port.Streams, passes) {
		return nil
	}
	p := g.table.Port(port.Port)
	return func(serverName string) bool {
		l := p.Listener(serverName)
		return l != nil && l.Passes()
	}
}

// proxyProtocol returns whose PROXY headers a port takes; nil for nobody's. A
// prefix that cannot be read trusts nobody.
func (g *generation) proxyProtocol(port uint16) *listen.ProxyProtocol {
	settings := &g.config.Settings.ProxyProtocol
	if len(settings.Trusted) == 0 || len(settings.Ports) > 0 && !slices.Contains(settings.Ports, port) {
		return nil
	}
	p := &listen.ProxyProtocol{Timeout: time.Duration(settings.HeaderTimeout)}
	for _, text := range settings.Trusted {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			p.Trusted = append(p.Trusted, prefix.Masked())
		}
	}
	return p
}
