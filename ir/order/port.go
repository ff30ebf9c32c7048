package order

import (
	"cmp"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
)

// Port is one port that a proxy listens at, with all listeners that share it.
type Port struct {
	Port uint16
	// Protocol is the same for all listeners of the port but refused ones, except
	// that HTTPS and TLS go together: where there is one of each it is HTTPS.
	Protocol ir.Protocol
	// HTTP3 is true where HTTP/3 is served on the UDP side of the port.
	HTTP3 bool
	// Listeners are those of HTTP and HTTPS, ordered by hostname, the most
	// specific first.
	Listeners []*Listener
	// Streams are those of TLS, TCP and UDP, in the same order.
	Streams []*Stream
}

// Ports sorts a unit's listeners by port, ascending, of one number that of TCP
// before that of UDP. Last is what was made of the same owner's unit before, or
// nil: hosts whose routes have not changed are taken over from it by pointer.
func Ports(proxy *ir.Proxy, last []*Port) []*Port {
	b := portBuilder{byPlace: map[place]*Port{}}
	for _, l := range Group(proxy, listenersOf(last)) {
		p := b.port(l.Listener)
		if l.Listener.Refused == "" {
			p.Protocol = l.Listener.Protocol
		}
		p.Listeners = append(p.Listeners, l)
	}
	for _, s := range Streams(proxy) {
		p := b.port(s.Listener)
		p.Streams = append(p.Streams, s)
	}
	b.sort()
	if proxy.Settings.HTTP3.Enabled {
		offerHTTP3(b.all)
	}
	return b.all
}

// Requests returns the listeners of HTTP and HTTPS.
func (p *Port) Requests() []*ir.Listener {
	all := make([]*ir.Listener, 0, len(p.Listeners)+len(p.Streams))
	for _, l := range p.Listeners {
		all = append(all, l.Listener)
	}
	return all
}

// All returns every listener of the port.
func (p *Port) All() []*ir.Listener {
	all := p.Requests()
	for _, s := range p.Streams {
		all = append(all, s.Listener)
	}
	return all
}

func listenersOf(ports []*Port) []*Listener {
	var all []*Listener
	for _, p := range ports {
		all = append(all, p.Listeners...)
	}
	return all
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

func (b *portBuilder) sort() {
	for _, p := range b.all {
		slices.SortStableFunc(p.Listeners, func(a, b *Listener) int { return CompareHostnames(a.Listener.Hostname, b.Listener.Hostname) })
		slices.SortStableFunc(p.Streams, func(a, b *Stream) int { return CompareHostnames(a.Listener.Hostname, b.Listener.Hostname) })
	}
	slices.SortFunc(b.all, func(a, b *Port) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), compareBool(a.Protocol == ir.UDP, b.Protocol == ir.UDP))
	})
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

// offerHTTP3 marks the ports that serve HTTP/3: those with a listener of HTTPS
// that can be served, unless a listener of UDP has the number.
func offerHTTP3(ports []*Port) {
	taken := map[uint16]bool{}
	for _, p := range ports {
		if p.Protocol == ir.UDP {
			taken[p.Port] = true
		}
	}
	for _, p := range ports {
		p.HTTP3 = !taken[p.Port] && slices.ContainsFunc(p.Listeners, endsTLS)
	}
}

func endsTLS(l *Listener) bool {
	return l.Listener.Protocol == ir.HTTPS && l.Listener.Refused == "" &&
		l.Listener.TLS != nil && l.Listener.TLS.Mode == ir.Terminate
}
