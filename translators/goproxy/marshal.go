package goproxy

import (
	"encoding/json"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// The types below are how a configuration is written down, for people and for
// golden files: each rule once, and each row by what it matches and the rule
// that it leads to. Secrets redact themselves (ir.Secret).
type (
	configView struct {
		Owner        ir.Object         `json:"owner"`
		Settings     ir.Settings       `json:"settings"`
		Ports        []portView        `json:"ports"`
		Rules        []ruleView        `json:"rules,omitempty"`
		Backends     []*ir.Backend     `json:"backends,omitempty"`
		Endpoints    []*ir.Endpoints   `json:"endpoints,omitempty"`
		Certificates []*ir.Certificate `json:"certificates,omitempty"`
	}
	portView struct {
		Port      uint16         `json:"port"`
		Protocol  ir.Protocol    `json:"protocol"`
		HTTP3     bool           `json:"http3,omitempty"`
		Listeners []listenerView `json:"listeners,omitempty"`
		Streams   []streamView   `json:"streams,omitempty"`
	}
	listenerView struct {
		Key      ir.ListenerKey  `json:"key"`
		Hostname string          `json:"hostname"`
		Refused  string          `json:"refused,omitempty"`
		TLS      *ir.ListenerTLS `json:"tls,omitempty"`
		Hosts    []hostView      `json:"hosts,omitempty"`
	}
	streamView struct {
		Key       ir.ListenerKey          `json:"key"`
		Protocol  ir.Protocol             `json:"protocol"`
		Hostname  string                  `json:"hostname"`
		TLS       *ir.ListenerTLS         `json:"tls,omitempty"`
		SendProxy ir.ProxyProtocolVersion `json:"sendProxyProtocol,omitempty"`
		Hosts     []streamHostView        `json:"hosts,omitempty"`
	}
	streamHostView struct {
		Hostname string    `json:"hostname"`
		Rule     *ruleName `json:"rule,omitempty"`
	}
	hostView struct {
		Hostname string    `json:"hostname"`
		Rows     []rowView `json:"rows"`
	}
	rowView struct {
		Match *ir.Match `json:"match"`
		Rule  ruleName  `json:"rule"`
	}
	ruleName struct {
		ir.Object
		Rule int `json:"rule"`
	}
	ruleView struct {
		ruleName
		Section  string           `json:"section,omitempty"`
		Refused  string           `json:"refused,omitempty"`
		Filters  []ir.Filter      `json:"filters,omitempty"`
		Backends []ir.BackendUse  `json:"backends,omitempty"`
		Timeouts *ir.RuleTimeouts `json:"timeouts,omitempty"`
		Retry    *ir.Retry        `json:"retry,omitempty"`
		Session  *ir.Session      `json:"session,omitempty"`
	}
)

var _ json.Marshaler = (*Config)(nil)

// MarshalJSON writes the configuration without secrets, always in the same way.
func (c *Config) MarshalJSON() ([]byte, error) {
	view := configView{
		Owner: c.Owner, Settings: c.Settings, Rules: c.rules(),
		Backends: c.Backends, Endpoints: c.Endpoints, Certificates: c.Certificates,
	}
	for _, p := range c.Ports {
		view.Ports = append(view.Ports, viewPort(p))
	}
	return json.Marshal(view)
}

// viewPort returns a port with its listeners, hosts and rows.
func viewPort(p *order.Port) portView {
	view := portView{Port: p.Port, Protocol: p.Protocol, HTTP3: p.HTTP3}
	for _, l := range p.Listeners {
		view.Listeners = append(view.Listeners, viewListener(l))
	}
	for _, s := range p.Streams {
		view.Streams = append(view.Streams, viewStream(s))
	}
	return view
}

func viewStream(s *order.Stream) streamView {
	l := s.Listener
	view := streamView{Key: l.Key, Protocol: l.Protocol, Hostname: l.Hostname, TLS: l.TLS, SendProxy: l.SendProxyProtocol}
	for _, h := range s.Hosts {
		host := streamHostView{Hostname: h.Hostname}
		if h.Rule != nil {
			host.Rule = &ruleName{Object: h.Route.Origin}
		}
		view.Hosts = append(view.Hosts, host)
	}
	return view
}

func viewListener(l *order.Listener) listenerView {
	view := listenerView{Key: l.Listener.Key, Hostname: l.Listener.Hostname, Refused: l.Listener.Refused, TLS: l.Listener.TLS}
	for _, h := range l.Hosts {
		rows := make([]rowView, 0, len(h.Entries))
		for _, e := range h.Entries {
			rows = append(rows, rowView{Match: e.Match(), Rule: nameOf(e)})
		}
		view.Hosts = append(view.Hosts, hostView{Hostname: h.Hostname, Rows: rows})
	}
	return view
}

func nameOf(e order.Entry) ruleName { return ruleName{Object: e.Route.Origin, Rule: e.RuleIndex} }

// rules lists each rule that a row or a stream leads to once, in the order in
// which they name them first.
func (c *Config) rules() []ruleView {
	var all []ruleView
	seen := map[*ir.Rule]bool{}
	add := func(e order.Entry) {
		if e.Rule != nil && !seen[e.Rule] {
			seen[e.Rule] = true
			all = append(all, viewRule(e))
		}
	}
	for _, p := range c.Ports {
		for _, l := range p.Listeners {
			for _, h := range l.Hosts {
				for _, e := range h.Entries {
					add(e)
				}
			}
		}
		for _, s := range p.Streams {
			for _, h := range s.Hosts {
				add(order.Entry{Route: h.Route, Rule: h.Rule})
			}
		}
	}
	return all
}

func viewRule(e order.Entry) ruleView {
	r := e.Rule
	view := ruleView{
		ruleName: nameOf(e), Section: r.Origin.Section, Refused: r.Refused,
		Filters: r.Filters, Backends: r.Backends, Retry: r.Retry, Session: r.Session,
	}
	if r.Timeouts != (ir.RuleTimeouts{}) {
		view.Timeouts = &r.Timeouts
	}
	return view
}
