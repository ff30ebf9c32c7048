package envoy

import (
	"reflect"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/sluice-gateway/sluice/ir"
)

// entrance is one filter chain of a listener, for TCP or QUIC.
type entrance struct {
	key  ir.ListenerKey
	quic bool
}

// entered is what an entrance was made from, and the chain.
type entered struct {
	listener *ir.Listener
	settings *ir.Settings
	chain    *listenerv3.FilterChain
}

// entranceOf makes the chain of a listener that is served, or takes it over from the
// last translation: writing one takes longer than all the rest of an edit.
func (c *Config) entranceOf(at entrance, l *ir.Listener, write func() *listenerv3.FilterChain) *listenerv3.FilterChain {
	next := entered{listener: l, settings: &c.unit.Proxy.Settings}
	was, known := c.last.entrances[at]
	if known && (was.listener == l || reflect.DeepEqual(was.listener, l)) &&
		(was.settings == next.settings || reflect.DeepEqual(was.settings, next.settings)) {
		next.chain = was.chain
	} else {
		next.chain = write()
	}
	c.entrances[at] = next
	return next.chain
}
