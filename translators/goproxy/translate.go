package goproxy

import (
	"cmp"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// Translate writes a unit for the Go proxy. Last is what was made of the same
// owner's unit before, or nil: hosts whose routes have not changed are taken
// over from it by pointer, and what is compiled from them stays valid.
func Translate(unit *ir.Unit, last *Config) *Config {
	proxy := unit.Proxy
	all := ports(order.Group(proxy, last.listeners()), order.Streams(proxy))
	if proxy.Settings.HTTP3.Enabled {
		offerHTTP3(all)
	}
	return &Config{
		Owner:        proxy.Owner,
		Ports:        all,
		Backends:     proxy.Backends,
		Certificates: proxy.Certificates,
		Endpoints:    unit.Endpoints,
		Settings:     proxy.Settings,
	}
}

// listeners returns the listeners of all ports; none for a nil configuration.
func (c *Config) listeners() []*order.Listener {
	if c == nil {
		return nil
	}
	var all []*order.Listener
	for _, p := range c.Ports {
		all = append(all, p.Listeners...)
	}
	return all
}

// ports sorts listeners by port, and by hostname within each.
func ports(listeners []*order.Listener, streams []*order.Stream) []*Port {
	b := portBuilder{byPlace: map[place]*Port{}}
	for _, l := range listeners {
		p := b.port(l.Listener)
		if l.Listener.Refused == "" {
			p.Protocol = l.Listener.Protocol
		}
		p.Listeners = append(p.Listeners, l)
	}
	for _, s := range streams {
		p := b.port(s.Listener)
		p.Streams = append(p.Streams, s)
	}
	for _, p := range b.all {
		slices.SortStableFunc(p.Listeners, func(a, b *order.Listener) int {
			return order.CompareHostnames(a.Listener.Hostname, b.Listener.Hostname)
		})
		slices.SortStableFunc(p.Streams, func(a, b *order.Stream) int {
			return order.CompareHostnames(a.Listener.Hostname, b.Listener.Hostname)
		})
	}
	slices.SortFunc(b.all, func(a, b *Port) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), compareBool(a.Protocol == ir.UDP, b.Protocol == ir.UDP))
	})
	return b.all
}

// place is what listeners share: UDP has ports of its own.
type place struct {
	number uint16
	udp    bool
}

type portBuilder struct {
	byPlace map[place]*Port
	all     []*Port
}

// port returns a listener's port. Those of HTTPS come before those of TLS, so
// that a port of both is one of HTTPS.
func (b *portBuilder) port(l *ir.Listener) *Port {
	at := place{l.Port, l.Protocol == ir.UDP}
	p := b.byPlace[at]
	if p == nil {
		p = &Port{Port: l.Port, Protocol: l.Protocol}
		b.byPlace[at], b.all = p, append(b.all, p)
	}
	return p
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}
