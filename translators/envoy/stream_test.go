package envoy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/ir"
)

var edge = ir.Object{Kind: "Gateway", Namespace: "infra", Name: "edge"}

func listenerKey(section string) ir.ListenerKey { return ir.ListenerKey{Owner: edge, Section: section} }

func passing(section, hostname string) *ir.Listener {
	return &ir.Listener{Key: listenerKey(section), Port: 443, Protocol: ir.TLS, Hostname: hostname, TLS: &ir.ListenerTLS{Mode: ir.Passthrough}}
}

// leading is a route of one rule.
func leading(kind ir.RouteKind, section string, hostnames []string, uses ...ir.BackendUse) *ir.Route {
	origin := ir.Object{Kind: string(kind) + "Route", Namespace: "shop", Name: section}
	return &ir.Route{
		Origin: origin, Kind: kind, Created: time.Unix(1, 0),
		Attachments: []ir.Attachment{{Listener: listenerKey(section), Hostnames: hostnames}},
		Rules:       []*ir.Rule{{Origin: ir.Origin{Object: origin}, Backends: uses}},
	}
}

func to(service string, protocol ir.BackendProtocol, weight int) ir.BackendUse {
	return ir.BackendUse{Weight: weight, Backend: &ir.BackendKey{
		EndpointsKey: ir.EndpointsKey{Namespace: "shop", Service: service, Port: 80}, Protocol: protocol,
	}}
}

// clustersOf are the weights of a filter's clusters.
func clustersOf(t *testing.T, c *Config, filter string) string {
	t.Helper()
	m := resource[*corev3.TypedExtensionConfig](c.Filters, filter)
	if m == nil {
		return "absent"
	}
	proxy := &tcpv3.TcpProxy{}
	if err := m.GetTypedConfig().UnmarshalTo(proxy); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, w := range proxy.GetWeightedClusters().GetClusters() {
		all = append(all, fmt.Sprintf("%s=%d", w.GetName(), w.GetWeight()))
	}
	return strings.Join(all, " ")
}

func TestStreamsByWeight(t *testing.T) {
	unit := &ir.Unit{Proxy: &ir.Proxy{
		Listeners: []*ir.Listener{
			{Key: listenerKey("tcp"), Port: 9001, Protocol: ir.TCP, Hostname: "*"},
			{Key: listenerKey("told"), Port: 9002, Protocol: ir.TCP, Hostname: "*", SendProxyProtocol: ir.ProxyProtocolV2},
			{Key: listenerKey("refused"), Port: 9003, Protocol: ir.TCP, Hostname: "*"},
			{Key: listenerKey("none"), Port: 9004, Protocol: ir.TCP, Hostname: "*"},
		},
		Routes: []*ir.Route{
			leading(ir.TCPRoute, "tcp", nil, to("a", ir.BackendTCP, 7), to("b", ir.BackendTCP, 0), ir.BackendUse{Weight: 3}),
			leading(ir.TCPRoute, "told", nil, to("a", ir.BackendTCP, 1)),
			leading(ir.TCPRoute, "refused", nil),
		},
		Backends: []*ir.Backend{{Key: *to("a", ir.BackendTCP, 1).Backend}, {Key: *to("b", ir.BackendTCP, 1).Backend}},
	}}
	unit.Proxy.Routes[2].Rules[0].Refused = "cannot be"
	c := Translate(unit, Target{}, nil)
	for filter, want := range map[string]string{
		"stream/9001": "shop/a/80/tcp=7 none=3",
		"stream/9002": "shop/a/80/tcp/proxy-v2=1",
		"stream/9003": "none=1",
		"stream/9004": "none=1",
	} {
		if got := clustersOf(t, c, filter); got != want {
			t.Errorf("%s leads to %s, want %s", filter, got, want)
		}
	}
	if got := names(c.Clusters); got != "shop/a/80/tcp shop/a/80/tcp/proxy-v2 shop/b/80/tcp" {
		t.Errorf("clusters are %s", got)
	}
}

func chainNames(c *Config) string {
	var all []string
	for _, chain := range c.Listeners[0].Message.(*listenerv3.Listener).GetFilterChains() {
		if strings.HasPrefix(chain.GetName(), "stream/") {
			all = append(all, strings.TrimPrefix(chain.GetName(), "stream/443/"))
		}
	}
	return strings.Join(all, " ")
}

// A host belongs to the listener with the most specific hostname, whoever's routes
// name it.
func TestStreamsKeepToTheirListener(t *testing.T) {
	c := Translate(&ir.Unit{Proxy: &ir.Proxy{
		Listeners: []*ir.Listener{passing("wide", "*.example"), passing("one", "a.example")},
		Routes:    []*ir.Route{leading(ir.TLSRoute, "wide", []string{"a.example", "b.example"}, to("a", ir.BackendTCP, 1))},
		Backends:  []*ir.Backend{{Key: *to("a", ir.BackendTCP, 1).Backend}},
	}}, Target{}, nil)
	if got, want := chainNames(c), "a.example/a.example *.example/b.example *.example/*.example"; got != want {
		t.Errorf("chains are %s, want %s", got, want)
	}
	if got := clustersOf(t, c, "stream/443/a.example/a.example"); got != "none=1" {
		t.Errorf("the host of a listener without routes leads to %s", got)
	}
}

// A hostname whose route has gone keeps its chain, and with it the connections that
// came in by it; new ones go where the name leads now.
func TestAChainStaysWhileItsListenerDoes(t *testing.T) {
	listener := passing("tls", "*.example")
	proxy := func(hostname, service string) *ir.Unit {
		return &ir.Unit{Proxy: &ir.Proxy{
			Listeners: []*ir.Listener{listener},
			Routes:    []*ir.Route{leading(ir.TLSRoute, "tls", []string{hostname}, to(service, ir.BackendTCP, 1))},
			Backends:  []*ir.Backend{{Key: *to(service, ir.BackendTCP, 1).Backend}},
		}}
	}
	first := Translate(proxy("a.example", "a"), Target{}, nil)
	second := Translate(proxy("*.example", "b"), Target{}, first)
	if !proto.Equal(first.Listeners[0].Message, second.Listeners[0].Message) {
		t.Errorf("the listener has changed: %v", second.Listeners[0].Message)
	}
	if got := clustersOf(t, second, "stream/443/*.example/a.example"); got != "shop/b/80/tcp=1" {
		t.Errorf("the name leads to %s", got)
	}
	listener = passing("tls", "*.example.org")
	third := Translate(proxy("*.example.org", "b"), Target{}, second)
	if got := chainNames(third); got != "*.example.org/*.example.org" {
		t.Errorf("chains of another listener are %s", got)
	}
}

func TestDatagramsByWeight(t *testing.T) {
	endpoints := func(service string, addresses ...string) *ir.Endpoints {
		e := &ir.Endpoints{Key: to(service, ir.BackendUDP, 1).Backend.EndpointsKey}
		for _, a := range addresses {
			e.Endpoints = append(e.Endpoints, ir.Endpoint{Address: a, Port: 53})
		}
		return e
	}
	unit := &ir.Unit{
		Proxy: &ir.Proxy{
			Listeners: []*ir.Listener{{Key: listenerKey("dns"), Port: 53, Protocol: ir.UDP, Hostname: "*"}, {Key: listenerKey("idle"), Port: 54, Protocol: ir.UDP, Hostname: "*"}},
			Routes: []*ir.Route{leading(ir.UDPRoute, "dns", nil,
				to("a", ir.BackendUDP, 1), to("b", ir.BackendUDP, 1), to("empty", ir.BackendUDP, 1), ir.BackendUse{Weight: 1}, to("off", ir.BackendUDP, 0))},
			Settings: ir.Settings{Limits: ir.Limits{DatagramSessions: 9}},
		},
		Endpoints: []*ir.Endpoints{endpoints("a", "10.0.0.1", "10.0.0.2"), endpoints("b", "10.0.0.2"), endpoints("empty"), endpoints("off", "10.0.0.9")},
	}
	for _, service := range []string{"a", "b", "empty", "off"} {
		unit.Proxy.Backends = append(unit.Proxy.Backends, &ir.Backend{Key: *to(service, ir.BackendUDP, 1).Backend})
	}
	c := Translate(unit, Target{}, nil)
	var got []string
	for _, e := range resource[*endpointv3.ClusterLoadAssignment](c.Endpoints, "udp/53").GetEndpoints()[0].GetLbEndpoints() {
		got = append(got, fmt.Sprintf("%s=%d", e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress(), e.GetLoadBalancingWeight().GetValue()))
	}
	if want := "10.0.0.1=125000 10.0.0.2=375000 255.255.255.255=500000"; strings.Join(got, " ") != want {
		t.Errorf("shares are %s, want %s", strings.Join(got, " "), want)
	}
	if len(resource[*endpointv3.ClusterLoadAssignment](c.Endpoints, "udp/54").GetEndpoints()) != 0 {
		t.Error("a listener without a route has endpoints")
	}
	if most := clusterNamed(c, "udp/53").GetCircuitBreakers().GetThresholds()[0].GetMaxConnections().GetValue(); most != 9 {
		t.Errorf("there may be %d sessions", most)
	}
	if names(c.Clusters) != "udp/53 udp/54" {
		t.Errorf("clusters are %s", names(c.Clusters))
	}
}
