package envoy

import (
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/sluice-gateway/sluice/ir/order"
)

// mostStale bounds the names that are kept for connections from before.
const mostStale = 256

// shutStale keeps the names of route configurations that nobody has any more, and
// answers 421 under them: Envoy goes on with what it knew of a name until the last
// connection of its listener has ended, and it would let clients in that were held
// to other rules for their certificates, or lead to clusters that have gone.
func (c *Config) shutStale(last *Config) {
	live := make(map[string]bool, len(c.Routes))
	for _, r := range c.Routes {
		live[r.Name] = true
	}
	was := slices.Clone(last.stale)
	for _, r := range last.Routes {
		if !slices.Contains(last.stale, r.Name) {
			was = append(was, r.Name)
		}
	}
	c.stale = slices.DeleteFunc(was, func(name string) bool { return live[name] })
	c.stale = c.stale[max(0, len(c.stale)-mostStale):]
	for _, name := range c.stale {
		c.Routes = append(c.Routes, shut(name))
	}
}

// shut is what connections meet that a listener would not let in now: the client
// may repeat its request on a new one, where it is asked what is asked now
// (RFC 9110, section 15.5.20).
func shut(name string) *Resource {
	return &Resource{Name: name, Message: &routev3.RouteConfiguration{
		Name: name, VirtualHosts: []*routev3.VirtualHost{closed("stale_connection", []string{order.AnyHost})},
	}}
}
