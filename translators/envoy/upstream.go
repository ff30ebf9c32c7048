package envoy

import (
	"reflect"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// upstream is what was made of one backend, and of what.
type upstream struct {
	backend *ir.Backend
	connect ir.Duration
	// certified is true where the client certificate is part of the unit.
	certified bool
	variants  []variant
	clusters  []*Resource
}

// served is what was made of the endpoints of one port of a Service.
type served struct {
	endpoints *ir.Endpoints
	resource  *Resource
}

// makeUpstreams makes the clusters and the endpoints of all backends. What has not
// changed is last's, by pointer.
func (c *Config) makeUpstreams() {
	variants := c.greetings()
	c.addCopied(variants)
	c.upstreams = make(map[ir.BackendKey]*upstream, len(c.unit.Proxy.Backends))
	for _, b := range c.unit.Proxy.Backends {
		u := c.upstream(b, variants[b.Key], c.last.upstreams[b.Key])
		c.upstreams[b.Key] = u
		c.Clusters = append(c.Clusters, u.clusters...)
	}
	c.served = make(map[ir.EndpointsKey]*served, len(c.unit.Endpoints))
	for _, e := range c.unit.Endpoints {
		made := c.last.served[e.Key]
		if made == nil || made.endpoints != e && !reflect.DeepEqual(made.endpoints, e) {
			made = &served{e, c.endpoints(e)}
		}
		c.served[e.Key] = made
		c.Endpoints = append(c.Endpoints, made.resource)
	}
}

func (c *Config) upstream(b *ir.Backend, variants []variant, last *upstream) *upstream {
	u := &upstream{backend: b, connect: c.unit.Proxy.Settings.Timeouts.Connect, variants: variants}
	u.certified = b.TLS != nil && b.TLS.ClientCertificate != nil && c.has(*b.TLS.ClientCertificate)
	if last != nil && u.connect == last.connect && u.certified == last.certified && slices.Equal(u.variants, last.variants) &&
		(last.backend == b || reflect.DeepEqual(last.backend, b)) {
		return last
	}
	if b.Key.Protocol == ir.BackendUDP {
		// Listeners of UDP have clusters of their own.
		return u
	}
	u.clusters = append(u.clusters, c.cluster(b, plain))
	if mayLackKey(b.Balancing) {
		u.clusters = append(u.clusters, c.cluster(b, inTurn))
	}
	for _, v := range variants {
		u.clusters = append(u.clusters, c.cluster(b, v))
	}
	return u
}

// greetings returns, of each backend that gets a PROXY header first, the variants
// that listeners ask for.
func (c *Config) greetings() map[ir.BackendKey][]variant {
	all := map[ir.BackendKey][]variant{}
	for _, p := range c.ports {
		for _, s := range p.Streams {
			if v := greeted(s.Listener.SendProxyProtocol); v != plain {
				addGreeting(all, s, v)
			}
		}
	}
	return all
}

func addGreeting(all map[ir.BackendKey][]variant, s *order.Stream, v variant) {
	for _, h := range s.Hosts {
		if h.Rule == nil {
			continue
		}
		for i := range h.Rule.Backends {
			key := h.Rule.Backends[i].Backend
			if key == nil || slices.Contains(all[*key], v) {
				continue
			}
			all[*key] = append(all[*key], v)
			slices.Sort(all[*key])
		}
	}
}
