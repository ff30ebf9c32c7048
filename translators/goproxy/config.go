package goproxy

import (
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// Config is all that the Go proxy reads for one owner. It shares its parts with
// the unit that it was made from, and is as immutable as that.
type Config struct {
	Owner ir.Object
	// Ports are ascending, of one number that of TCP before that of UDP.
	Ports []*Port
	// Backends, Certificates and Endpoints are the unit's own.
	Backends     []*ir.Backend
	Certificates []*ir.Certificate
	Endpoints    []*ir.Endpoints
	Settings     ir.Settings
}

// Port is one port that the proxy listens at.
type Port struct {
	Port uint16
	// Protocol is the same for all listeners of the port but refused ones, except
	// that HTTPS and TLS go together: where there is one of each it is HTTPS.
	Protocol ir.Protocol
	// HTTP3 is true where HTTP/3 is served on the UDP side of the port.
	HTTP3 bool
	// Listeners are those of HTTP and HTTPS, ordered by hostname, the most
	// specific first.
	Listeners []*order.Listener
	// Streams are those of TLS, TCP and UDP, in the same order.
	Streams []*order.Stream
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
