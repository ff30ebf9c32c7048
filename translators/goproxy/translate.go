package goproxy

import (
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// Translate writes a unit for the Go proxy. Last is what was made of the same
// owner's unit before, or nil: hosts whose routes have not changed are taken
// over from it by pointer, and what is compiled from them stays valid.
func Translate(unit *ir.Unit, last *Config) *Config {
	proxy := unit.Proxy
	return &Config{
		Owner:        proxy.Owner,
		Ports:        order.Ports(proxy, last.ports()),
		Backends:     proxy.Backends,
		Certificates: proxy.Certificates,
		Endpoints:    unit.Endpoints,
		Settings:     proxy.Settings,
	}
}

// ports returns those of a configuration; none for a nil one.
func (c *Config) ports() []*order.Port {
	if c == nil {
		return nil
	}
	return c.Ports
}
