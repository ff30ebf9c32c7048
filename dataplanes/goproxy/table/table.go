package table

import (
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
	"github.com/sluice-gateway/sluice/translators/goproxy"
)

// Table is one compiled generation of one owner's configuration. It never
// changes, so any number of requests may hold it.
type Table struct {
	config *goproxy.Config
	ports  map[uint16]*Port
	// datagrams are the ports of UDP, which has numbers of its own.
	datagrams map[uint16]*Port
	// hosts and rules are what the next table takes over.
	hosts map[*order.Host]*host
	rules map[*ir.Rule]*Rule
}

// Config returns what the table was compiled from.
func (t *Table) Config() *goproxy.Config { return t.config }

// Port returns what is served at a port of TCP, or nil.
func (t *Table) Port(port uint16) *Port { return t.ports[port] }

// Datagrams returns what is served at a port of UDP, or nil.
func (t *Table) Datagrams(port uint16) *Port { return t.datagrams[port] }

// Compile makes a table, and says what it objects to. It never fails as a whole:
// a rule that cannot be compiled keeps its matches and answers 500. Hosts and
// rules that are the same pointers as in last, which may be nil, are taken over
// from it.
func Compile(config *goproxy.Config, last *Table) (*Table, []ir.Problem) {
	b := newBuilder(config, last)
	for _, port := range config.Ports {
		if port.Protocol == ir.UDP {
			b.table.datagrams[port.Port] = b.port(port)
			continue
		}
		b.table.ports[port.Port] = b.port(port)
	}
	return b.table, b.problems()
}

// builder compiles one table.
type builder struct {
	table *Table
	last  *Table
	// order is the rules' order in the configuration, for stable problems.
	order []*Rule
	seen  map[*Rule]bool
}

func newBuilder(config *goproxy.Config, last *Table) *builder {
	if last == nil {
		last = &Table{}
	}
	return &builder{
		last: last,
		seen: map[*Rule]bool{},
		table: &Table{
			config:    config,
			ports:     make(map[uint16]*Port, len(config.Ports)),
			datagrams: map[uint16]*Port{},
			hosts:     make(map[*order.Host]*host, len(last.hosts)),
			rules:     make(map[*ir.Rule]*Rule, len(last.rules)),
		},
	}
}

func (b *builder) port(config *order.Port) *Port {
	p := &Port{
		tls:       config.Protocol == ir.HTTPS || config.Protocol == ir.TLS,
		listeners: newHostnames[*Listener](len(config.Listeners) + len(config.Streams)),
	}
	for _, l := range config.Listeners {
		p.listeners.put(l.Listener.Hostname, b.listener(l))
	}
	for _, s := range config.Streams {
		p.listeners.put(s.Listener.Hostname, b.stream(s))
	}
	return p
}

// stream compiles a listener of TLS, TCP or UDP. It has no hosts of requests.
func (b *builder) stream(config *order.Stream) *Listener {
	l := &Listener{Config: config.Listener, hosts: newHostnames[*host](0), streams: newHostnames[*Rule](len(config.Hosts))}
	for _, h := range config.Hosts {
		if h.Rule == nil {
			l.streams.put(h.Hostname, nil)
			continue
		}
		r := b.rule(h.Route, h.Rule)
		b.note(r)
		l.streams.put(h.Hostname, r)
	}
	return l
}

func (b *builder) listener(config *order.Listener) *Listener {
	l := &Listener{Config: config.Listener, hosts: newHostnames[*host](len(config.Hosts))}
	for _, h := range config.Hosts {
		l.hosts.put(h.Hostname, b.host(h))
	}
	return l
}

// host takes over a host that has not changed, with its rules.
func (b *builder) host(config *order.Host) *host {
	compiled := b.table.hosts[config]
	if compiled == nil {
		compiled = b.last.hosts[config]
	}
	if compiled == nil {
		compiled = newHost(config, b.rule)
	}
	b.table.hosts[config] = compiled
	for _, r := range compiled.rules {
		b.note(r)
	}
	return compiled
}

// rule compiles a rule once, however many matches and hosts it has.
func (b *builder) rule(route *ir.Route, spec *ir.Rule) *Rule {
	if r := b.table.rules[spec]; r != nil {
		return r
	}
	r := b.last.rules[spec]
	if r == nil || r.Kind != route.Kind {
		r = newRule(route.Kind, spec)
	}
	b.table.rules[spec] = r
	return r
}

func (b *builder) note(r *Rule) {
	if b.seen[r] {
		return
	}
	b.seen[r] = true
	b.table.rules[r.spec] = r
	b.order = append(b.order, r)
}

// problems lists what was objected to, in the order of the configuration.
func (b *builder) problems() []ir.Problem {
	var all []ir.Problem
	for _, r := range b.order {
		for _, message := range r.problems {
			all = append(all, ir.Problem{Origin: r.Origin, Message: message})
		}
	}
	return all
}
