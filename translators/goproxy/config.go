package goproxy

import (
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// Config is all that the Go proxy reads for one owner. It shares its parts with
// the unit that it was made from, and is as immutable as that.
type Config struct {
	Owner ir.Object
	// Ports are ascending.
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
	// Protocol is HTTP or HTTPS, the same for all listeners of the port but
	// refused ones.
	Protocol ir.Protocol
	// Listeners are ordered by hostname, the most specific first.
	Listeners []*order.Listener
}
