package envoy

import (
	"reflect"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// parts are what routes are made of, for the next translation.
type parts struct {
	// serving is what listeners serve.
	serving map[ir.ListenerKey]*serving
	routes  map[string]*Resource
}

// keep takes over from the last translation what this one may use: nothing where
// settings differ, of which every route may have read some.
func (c *Config) keep(last *Config) {
	c.made = parts{serving: map[ir.ListenerKey]*serving{}, routes: map[string]*Resource{}}
	c.kept = parts{}
	if last.unit == nil || !reflect.DeepEqual(last.unit.Proxy.Settings, c.unit.Proxy.Settings) {
		return
	}
	c.kept = last.made
	c.changed = changedBackends(last.unit.Proxy.Backends, c.unit.Proxy.Backends)
}

// release lets go of what was kept.
func (c *Config) release() {
	for _, r := range c.Routes {
		c.made.routes[r.Name] = r
	}
	for _, s := range c.made.serving {
		s.forget()
	}
	c.kept, c.changed = parts{}, nil
}

// changedBackends compares two lists that are ordered by key.
func changedBackends(last, now []*ir.Backend) map[ir.BackendKey]bool {
	var changed map[ir.BackendKey]bool
	mark := func(b *ir.Backend) {
		if changed == nil {
			changed = map[ir.BackendKey]bool{}
		}
		changed[b.Key] = true
	}
	before := make(map[ir.BackendKey]*ir.Backend, len(last))
	for _, b := range last {
		before[b.Key] = b
	}
	for _, b := range now {
		old := before[b.Key]
		if old != b && !reflect.DeepEqual(old, b) {
			mark(b)
		}
		delete(before, b.Key)
	}
	for _, b := range before {
		mark(b)
	}
	return changed
}

// touched reports whether entries lead to a backend that has changed.
func (c *Config) touched(entries []order.Entry) bool {
	if len(c.changed) == 0 {
		return false
	}
	for _, e := range entries {
		for i := range e.Rule.Backends {
			if key := e.Rule.Backends[i].Backend; key != nil && c.changed[*key] {
				return true
			}
		}
	}
	return false
}

// takeOver puts the last of a name in the place of what is equal to it, so that
// nothing of it is sent again.
func takeOver(now, last []*Resource) {
	before := make(map[string]*Resource, len(last))
	for _, r := range last {
		before[r.Name] = r
	}
	for i, r := range now {
		if old := before[r.Name]; old != nil && old != r && proto.Equal(old.Message, r.Message) {
			now[i] = &Resource{Name: r.Name, Message: old.Message, Origins: r.Origins}
			if slices.Equal(old.Origins, r.Origins) {
				now[i] = old
			}
		}
	}
}
