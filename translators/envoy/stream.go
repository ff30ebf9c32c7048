package envoy

import (
	"slices"
	"strconv"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

const (
	// mostStreamConnects bounds how many endpoints a stream looks for a connection at.
	mostStreamConnects = 10
	// mostFormer bounds the hostnames of a listener that are kept without a route.
	mostFormer = 256
)

// inlet is one hostname of a listener of TLS, or a listener of TCP: one filter
// chain. What its connections lead to is a resource of its own, so that an edit of
// it leaves the listener, and with it all open connections, as they are.
type inlet struct {
	stream   *order.Stream
	hostname string
}

// name is "stream/443/*.example/a.example", or "stream/9001".
func (d inlet) name() string {
	l := d.stream.Listener
	name := "stream/" + strconv.Itoa(int(l.Port))
	if l.Protocol == ir.TLS {
		name += "/" + l.Hostname + "/" + d.hostname
	}
	return name
}

// rule is what takes the connections; nil where nobody does.
func (d inlet) rule() *ir.Rule {
	for name := range order.Chain(d.hostname) {
		for _, h := range d.stream.Hosts {
			if h.Hostname == name {
				return h.Rule
			}
		}
	}
	return nil
}

// inlets returns those of a port's listeners of TLS and TCP. A hostname that had a
// route keeps its inlet for as long as its listener is there: without it Envoy
// would end the connections that came in by it.
func (c *Config) inlets(p *order.Port) []inlet {
	var all []inlet
	o := ownersOf(p)
	for _, s := range p.Streams {
		switch s.Listener.Protocol {
		case ir.TCP:
			all = append(all, inlet{s, order.AnyHost})
		case ir.TLS:
			for _, hostname := range c.streamHosts(s, o) {
				all = append(all, inlet{s, hostname})
			}
		default:
		}
	}
	return all
}

// streamHosts returns the hostnames of a listener of TLS, and takes note of them:
// its own, those of its routes, and those of routes that have gone.
func (c *Config) streamHosts(s *order.Stream, o owners) []string {
	all := []string{s.Listener.Hostname}
	for _, h := range s.Hosts {
		all = append(all, h.Hostname)
	}
	former := c.last.hostsOf[s.Listener.Key]
	all = append(all, former[:min(len(former), mostFormer)]...)
	slices.SortFunc(all, order.CompareHostnames)
	all = slices.DeleteFunc(slices.Compact(all), func(hostname string) bool { return o.of(hostname) != s.Listener })
	c.hostsOf[s.Listener.Key] = all
	return all
}

// streamChains returns the filter chains of a port's listeners of TLS and TCP.
// Those of TLS match by forServerName, and one without a route keeps its names.
func (c *Config) streamChains(p *order.Port) []*listenerv3.FilterChain {
	var all []*listenerv3.FilterChain
	for _, d := range c.inlets(p) {
		all = append(all, c.streamChain(d))
	}
	return all
}

func (c *Config) streamChain(d inlet) *listenerv3.FilterChain {
	l := d.stream.Listener
	chain := &listenerv3.FilterChain{Name: d.name(), Filters: []*listenerv3.Filter{discovered(d.name())}}
	if l.Protocol != ir.TLS {
		return chain
	}
	chain.FilterChainMatch = forServerName(d.hostname)
	if l.TLS == nil || l.TLS.Mode == ir.Passthrough {
		return chain
	}
	chain.TransportSocketConnectTimeout = durationpb.New(handshakeTimeout)
	if chain.TransportSocket = c.tlsSocket(l, nil); chain.TransportSocket == nil {
		chain.Filters = []*listenerv3.Filter{answering(unrecognizedName)}
	}
	return chain
}

// discovered is a filter that comes by itself.
func discovered(name string) *listenerv3.Filter {
	return &listenerv3.Filter{Name: name, ConfigType: &listenerv3.Filter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
		ConfigSource: fromAgent(),
		TypeUrls:     []string{"type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"},
	}}}
}

// streamFilters say what becomes of the connections of a port's chains.
func (c *Config) streamFilters(p *order.Port) []*Resource {
	var all []*Resource
	for _, d := range c.inlets(p) {
		all = append(all, c.streamFilter(d))
	}
	return all
}

// streamFilter is what becomes of the connections of an inlet.
func (c *Config) streamFilter(d inlet) *Resource {
	rule := d.rule()
	proxy := &tcpv3.TcpProxy{
		StatPrefix:         d.name(),
		AccessLog:          streamLog(d.name(), d.stream.Listener.Protocol),
		AccessLogOptions:   &tcpv3.TcpProxy_TcpAccessLogOptions{FlushAccessLogOnConnected: true},
		ClusterSpecifier:   c.streamClusters(d, rule),
		IdleTimeout:        durationpb.New(max(time.Duration(c.unit.Proxy.Settings.Timeouts.StreamIdle), 0)),
		MaxConnectAttempts: wrapperspb.UInt32(c.connects(rule)),
		HashPolicy: []*typev3.HashPolicy{{PolicySpecifier: &typev3.HashPolicy_SourceIp_{
			SourceIp: &typev3.HashPolicy_SourceIp{},
		}}},
	}
	r := &Resource{Name: d.name(), Message: &corev3.TypedExtensionConfig{Name: d.name(), TypedConfig: typed(proxy)}}
	r.Origins = []ir.Origin{originOf(d.stream.Listener)}
	if rule != nil {
		r.Origins = []ir.Origin{rule.Origin}
	}
	return r
}

// streamClusters shares connections among backends by weight. Those of a backend
// that is none are refused.
func (c *Config) streamClusters(d inlet, rule *ir.Rule) *tcpv3.TcpProxy_WeightedClusters {
	weighted := &tcpv3.TcpProxy_WeightedCluster{}
	for _, use := range usesOf(rule) {
		name := noCluster
		if use.Backend != nil {
			name = variantName(*use.Backend, greeted(d.stream.Listener.SendProxyProtocol))
		}
		weighted.Clusters = append(weighted.Clusters, &tcpv3.TcpProxy_WeightedCluster_ClusterWeight{
			Name: name, Weight: uint32(use.Weight), //nolint:gosec // Weights are at most a million (Gateway API).
		})
	}
	if len(weighted.Clusters) == 0 {
		weighted.Clusters = []*tcpv3.TcpProxy_WeightedCluster_ClusterWeight{{Name: noCluster, Weight: 1}}
	}
	return &tcpv3.TcpProxy_WeightedClusters{WeightedClusters: weighted}
}

// usesOf returns the backends of a rule that take traffic; none of one that is not
// there or refused.
func usesOf(rule *ir.Rule) []ir.BackendUse {
	if rule == nil || rule.Refused != "" {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(rule.Backends), func(u ir.BackendUse) bool { return u.Weight <= 0 })
}

// connects is how often a connection to a backend is tried: at each endpoint once.
func (c *Config) connects(rule *ir.Rule) uint32 {
	most := 1
	for _, use := range usesOf(rule) {
		if use.Backend == nil {
			continue
		}
		if e := c.served[use.Backend.EndpointsKey]; e != nil {
			most = max(most, len(e.endpoints.Endpoints))
		}
	}
	return uint32(min(most, mostStreamConnects)) //nolint:gosec // It is 1 to 10.
}
