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
	Ports []*order.Port
	// Backends, Certificates and Endpoints are the unit's own.
	Backends     []*ir.Backend
	Certificates []*ir.Certificate
	Endpoints    []*ir.Endpoints
	Settings     ir.Settings
}
