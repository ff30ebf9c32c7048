package envoy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/ir"
)

// backend returns a backend of HTTP/1.1, changed.
func backend(change func(*ir.Backend)) *ir.Backend {
	b := &ir.Backend{Key: ir.BackendKey{
		EndpointsKey: ir.EndpointsKey{Namespace: "shop", Service: "cart", Port: 80}, Protocol: ir.BackendHTTP1,
	}}
	change(b)
	return b
}

func unitOf(backends []*ir.Backend, endpoints ...*ir.Endpoints) *ir.Unit {
	return &ir.Unit{Proxy: &ir.Proxy{Backends: backends}, Endpoints: endpoints}
}

// resource returns a resource of a list; nil where there is none.
func resource[M proto.Message](list []*Resource, name string) (m M) {
	for _, r := range list {
		if r.Name == name {
			return r.Message.(M)
		}
	}
	return m
}

func clusterNamed(c *Config, name string) *clusterv3.Cluster {
	return resource[*clusterv3.Cluster](c.Clusters, name)
}

func names(list []*Resource) string {
	var all []string
	for _, r := range list {
		all = append(all, r.Name)
	}
	return strings.Join(all, " ")
}

// upstreamTLS is what a cluster says of TLS; nil for plain text.
func upstreamTLS(t *testing.T, c *clusterv3.Cluster) *tlsv3.UpstreamTlsContext {
	t.Helper()
	if c.GetTransportSocket() == nil {
		return nil
	}
	context := &tlsv3.UpstreamTlsContext{}
	if err := c.GetTransportSocket().GetTypedConfig().UnmarshalTo(context); err != nil {
		t.Fatal(err)
	}
	return context
}

const anchor1 = `-----BEGIN CERTIFICATE-----
MIIBdzCCAR2gAwIBAgIBATAKBggqhkjOPQQDAjARMQ8wDQYDVQQDEwZ0cnVzdGVk
-----END CERTIFICATE-----
`

// What cannot be verified gets nothing: there is no endpoint to speak to.
func TestBackendsThatCannotBeFollowedHaveNobody(t *testing.T) {
	own := ir.CertificateKey{Namespace: "infra", Name: "own"}
	for name, tls := range map[string]*ir.BackendTLS{
		"invalid":                      {Hostname: "b", SystemCAs: true, Invalid: "no authority"},
		"no authority":                 {Hostname: "b"},
		"an authority that is none":    {Hostname: "b", CAs: "garbage"},
		"a certificate that is none":   {Hostname: "b", CAs: anchor1},
		"no name to check":             {SystemCAs: true},
		"a certificate that is absent": {Hostname: "b", SystemCAs: true, ClientCertificate: &own},
	} {
		t.Run(name, func(t *testing.T) {
			c := Translate(unitOf([]*ir.Backend{backend(func(b *ir.Backend) { b.TLS = tls })}), Target{SystemCAs: UsualCAs}, nil)
			cluster := clusterNamed(c, "shop/cart/80/http1")
			if cluster.GetType() != clusterv3.Cluster_STATIC || cluster.GetLoadAssignment() != nil || cluster.GetEdsClusterConfig() != nil {
				t.Errorf("there may be endpoints: %v", cluster)
			}
		})
	}
}

func TestSystemCAsNeedAFile(t *testing.T) {
	b := backend(func(b *ir.Backend) { b.TLS = &ir.BackendTLS{Hostname: "b", SystemCAs: true} })
	with := clusterNamed(Translate(unitOf([]*ir.Backend{b}), Target{SystemCAs: "/cas.pem"}, nil), "shop/cart/80/http1")
	if got := upstreamTLS(t, with).GetCommonTlsContext().GetValidationContext().GetTrustedCa().GetFilename(); got != "/cas.pem" {
		t.Errorf("the file is %q", got)
	}
	without := clusterNamed(Translate(unitOf([]*ir.Backend{b}), Target{}, nil), "shop/cart/80/http1")
	if without.GetType() != clusterv3.Cluster_STATIC {
		t.Error("without a file, endpoints are spoken to")
	}
}

func TestALPNAndNames(t *testing.T) {
	b := backend(func(b *ir.Backend) {
		b.Key.Protocol = ir.BackendH2
		b.TLS = &ir.BackendTLS{Hostname: "sni.example", SystemCAs: true, SANs: []ir.SAN{{DNS: "a.example"}, {DNS: "*.b.example"}, {URI: "spiffe://x/y"}}}
	})
	context := upstreamTLS(t, clusterNamed(Translate(unitOf([]*ir.Backend{b}), Target{SystemCAs: UsualCAs}, nil), "shop/cart/80/h2"))
	var got []string
	for _, m := range context.GetCommonTlsContext().GetValidationContext().GetMatchTypedSubjectAltNames() {
		got = append(got, fmt.Sprint(m.GetSanType(), " ", m.GetMatcher().GetExact(), m.GetMatcher().GetSuffix()))
	}
	if want := "DNS a.example, DNS .b.example, URI spiffe://x/y"; strings.Join(got, ", ") != want {
		t.Errorf("names are %q, want %q", strings.Join(got, ", "), want)
	}
	if context.GetSni() != "sni.example" || strings.Join(context.GetCommonTlsContext().GetAlpnProtocols(), " ") != "h2" {
		t.Errorf("SNI %q, ALPN %v", context.GetSni(), context.GetCommonTlsContext().GetAlpnProtocols())
	}
}

// Envoy's own bounds must not show.
func TestNoBoundOfEnvoysOwn(t *testing.T) {
	c := clusterNamed(Translate(unitOf([]*ir.Backend{backend(func(*ir.Backend) {})}), Target{}, nil), "shop/cart/80/http1")
	limits := c.GetCircuitBreakers().GetThresholds()[0]
	for name, got := range map[string]uint32{
		"connections": limits.GetMaxConnections().GetValue(), "pending": limits.GetMaxPendingRequests().GetValue(),
		"requests": limits.GetMaxRequests().GetValue(), "retries": limits.GetMaxRetries().GetValue(),
	} {
		if got != unbounded {
			t.Errorf("%s are bound by %d", name, got)
		}
	}
	if c.GetConnectTimeout().AsDuration() != noTime {
		t.Errorf("connecting is bound by %v", c.GetConnectTimeout().AsDuration())
	}
}

func TestEjection(t *testing.T) {
	b := backend(func(b *ir.Backend) {
		b.Ejection = &ir.Ejection{Failures: 7, BaseTime: ir.Duration(10 * time.Second), MaxTime: ir.Duration(5 * time.Minute), MaxPercent: 40}
	})
	o := clusterNamed(Translate(unitOf([]*ir.Backend{b}), Target{}, nil), "shop/cart/80/http1").GetOutlierDetection()
	if o.GetConsecutiveLocalOriginFailure().GetValue() != 7 || !o.GetSplitExternalLocalOriginErrors() || o.GetMaxEjectionPercent().GetValue() != 40 {
		t.Errorf("ejection is %v", o)
	}
	if o.GetEnforcingConsecutive_5Xx() == nil || o.GetEnforcingConsecutive_5Xx().GetValue() != 0 || o.GetEnforcingSuccessRate().GetValue() != 0 {
		t.Errorf("answers count: %v", o)
	}
	off := clusterNamed(Translate(unitOf([]*ir.Backend{backend(func(*ir.Backend) {})}), Target{}, nil), "shop/cart/80/http1")
	if off.GetOutlierDetection() != nil {
		t.Error("without ejection there is some")
	}
}

func TestRequestsWithoutAKeyHaveAClusterOfTheirOwn(t *testing.T) {
	for hash, want := range map[ir.HashKey]string{
		{Kind: ir.HashClientIP}:               "shop/cart/80/http1",
		{Kind: ir.HashHeader, Name: "host"}:   "shop/cart/80/http1",
		{Kind: ir.HashHeader, Name: "x-user"}: "shop/cart/80/http1 shop/cart/80/http1/turn",
		{Kind: ir.HashCookie, Name: "user"}:   "shop/cart/80/http1 shop/cart/80/http1/turn",
	} {
		c := Translate(unitOf([]*ir.Backend{backend(func(b *ir.Backend) {
			b.Balancing = ir.Balancing{Algorithm: ir.ConsistentHash, Hash: hash}
		})}), Target{}, nil)
		if names(c.Clusters) != want {
			t.Errorf("%v: clusters %s, want %s", hash, names(c.Clusters), want)
		}
	}
}

func TestEndpointsByTier(t *testing.T) {
	e := &ir.Endpoints{Key: ir.EndpointsKey{Namespace: "shop", Service: "cart", Port: 80}, Endpoints: []ir.Endpoint{
		{Address: "10.0.0.1", Port: 1, ForZones: []string{"here"}},
		{Address: "10.0.0.2", Port: 2, ForZones: []string{"there"}},
		{Address: "10.0.0.3", Port: 3, Draining: true},
		{Address: "2001:db8::1", Port: 4, ForZones: []string{"here"}},
		{Address: "no address", Port: 5, ForZones: []string{"here"}},
	}}
	c := Translate(unitOf(nil, e), Target{Zone: "here"}, nil)
	got := assigned(resource[*endpointv3.ClusterLoadAssignment](c.Endpoints, "shop/cart/80"))
	if want := "0:10.0.0.1:1 0:2001:db8::1:4 1:10.0.0.2:2 2:10.0.0.3:3"; got != want {
		t.Errorf("endpoints are %s, want %s", got, want)
	}
}

// assigned are the endpoints of an assignment, each after its priority.
func assigned(m *endpointv3.ClusterLoadAssignment) string {
	var all []string
	for _, l := range m.GetEndpoints() {
		for _, e := range l.GetLbEndpoints() {
			at := e.GetEndpoint().GetAddress().GetSocketAddress()
			all = append(all, fmt.Sprintf("%d:%s:%d", l.GetPriority(), at.GetAddress(), at.GetPortValue()))
		}
	}
	return strings.Join(all, " ")
}

// A change of endpoints is one of theirs alone, and what has not changed is the
// same by pointer, whoever made the unit.
func TestWhatHasNotChangedIsTakenOver(t *testing.T) {
	list := func(n int) *ir.Endpoints {
		e := &ir.Endpoints{Key: ir.EndpointsKey{Namespace: "shop", Service: "cart", Port: 80}}
		for i := range n {
			e.Endpoints = append(e.Endpoints, ir.Endpoint{Address: fmt.Sprintf("10.0.%d.%d", i/250, i%250), Port: 80})
		}
		return e
	}
	keep := func(*ir.Backend) {}
	first := Translate(unitOf([]*ir.Backend{backend(keep)}, list(1000)), Target{}, nil)
	same := Translate(unitOf([]*ir.Backend{backend(keep)}, list(1000)), Target{}, first)
	if first.Clusters[0] != same.Clusters[0] || first.Endpoints[0] != same.Endpoints[0] {
		t.Error("the same was made again")
	}
	fewer := Translate(unitOf([]*ir.Backend{backend(keep)}, list(999)), Target{}, same)
	if fewer.Clusters[0] != same.Clusters[0] || fewer.Endpoints[0] == same.Endpoints[0] {
		t.Error("a change of endpoints is one of their cluster, or none")
	}
	other := Translate(unitOf([]*ir.Backend{backend(func(b *ir.Backend) { b.Balancing.Algorithm = ir.LeastRequest })}, list(999)), Target{}, fewer)
	if other.Clusters[0] == fewer.Clusters[0] || other.Endpoints[0] != fewer.Endpoints[0] {
		t.Error("a change of a backend is one of its endpoints, or none")
	}
}
