package envoy

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// Translate writes a unit for Envoy. Last is what was made of the same owner's
// unit before, or nil: resources whose parts have not changed are taken over
// from it by pointer.
func Translate(unit *ir.Unit, to Target, last *Config) *Config {
	if last == nil || last.target != to {
		last = &Config{}
	}
	c := &Config{target: to, unit: unit, ports: order.Ports(unit.Proxy, last.ports), last: last, hostsOf: map[ir.ListenerKey][]string{}, anchorsOf: map[string]string{}, entrances: map[entrance]entered{}}
	c.keep(last)
	c.objectToDoors()
	c.object(last)
	c.makeUpstreams()
	for _, p := range c.ports {
		c.Listeners = append(c.Listeners, c.listeners(p)...)
		c.Filters = append(c.Filters, c.streamFilters(p)...)
		c.Routes = append(c.Routes, c.routes(p)...)
	}
	served := len(c.Routes)
	c.shutStale(last)
	takeOver(c.Routes[served:], last.Routes)
	c.Clusters = append(c.Clusters, c.proxiedClusters()...)
	c.Secrets = c.secrets()
	c.Runtimes = c.runtimes()
	c.release()
	takeOver(c.Listeners, last.Listeners)
	takeOver(c.Secrets, last.Secrets)
	takeOver(c.Runtimes, last.Runtimes)
	takeOver(c.Filters, last.Filters)
	for _, kind := range c.kinds() {
		slices.SortFunc(kind, func(a, b *Resource) int { return cmp.Compare(a.Name, b.Name) })
	}
	c.last = nil
	return c
}

// kinds are all resources, those that name others first.
func (c *Config) kinds() [][]*Resource {
	return [][]*Resource{c.Listeners, c.Routes, c.Clusters, c.Endpoints, c.Secrets, c.Filters, c.Runtimes}
}

// typed packs a message as Envoy's extensions want it, always in the same way.
// It cannot fail for messages that were made here: their strings are UTF-8,
// because objects of Kubernetes are.
func typed(m proto.Message) *anypb.Any {
	packed := &anypb.Any{}
	if err := anypb.MarshalFrom(packed, m, proto.MarshalOptions{Deterministic: true}); err != nil {
		panic("a message of ours cannot be packed: " + err.Error())
	}
	return packed
}
