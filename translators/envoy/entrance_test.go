package envoy

import (
	"fmt"
	"slices"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/sluice-gateway/sluice/ir"
)

// unitOfDoors has listeners of HTTPS at one port, each with a route of its own.
func unitOfDoors(n int) *ir.Proxy {
	proxy := &ir.Proxy{Settings: ir.Settings{TLS: ir.TLSSettings{ALPN: []string{"h2", "http/1.1"}}}}
	for i := range n {
		key, hostname := ir.ListenerKey{Section: fmt.Sprint(i)}, fmt.Sprintf("h%d.example", i)
		cert := ir.CertificateKey{Namespace: "infra", Name: hostname}
		proxy.Listeners = append(proxy.Listeners, &ir.Listener{
			Key: key, Port: 443, Protocol: ir.HTTPS, Hostname: hostname,
			TLS: &ir.ListenerTLS{Mode: ir.Terminate, Certificates: []ir.CertificateKey{cert}},
		})
		proxy.Certificates = append(proxy.Certificates, &ir.Certificate{Key: cert})
		proxy.Routes = append(proxy.Routes, &ir.Route{
			Origin: ir.Object{Kind: "HTTPRoute", Name: hostname}, Kind: ir.HTTPRoute, Created: time.Unix(1, 0),
			Attachments: []ir.Attachment{{Listener: key, Hostnames: []string{hostname}}},
			Rules:       []*ir.Rule{{Matches: []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: "/"}}}}},
		})
	}
	return proxy
}

// TestChainsAreTakenOver as long as what they are made from is the same.
func TestChainsAreTakenOver(t *testing.T) {
	proxy := unitOfDoors(2)
	first := Translate(&ir.Unit{Proxy: proxy}, Target{}, nil)
	chains := func(c *Config) []*listenerv3.FilterChain {
		return c.Listeners[0].Message.(*listenerv3.Listener).FilterChains //nolint:forcetypeassert // It is a listener.
	}
	if again := Translate(&ir.Unit{Proxy: unitOfDoors(2)}, Target{}, first); again.Listeners[0] != first.Listeners[0] {
		t.Error("an equal unit has other listeners")
	}
	edited := *proxy
	edited.Listeners = slices.Clone(proxy.Listeners)
	listener := *proxy.Listeners[0]
	listener.TLS = &ir.ListenerTLS{Mode: ir.Terminate, Certificates: []ir.CertificateKey{proxy.Certificates[1].Key}}
	edited.Listeners[0] = &listener
	second := Translate(&ir.Unit{Proxy: &edited}, Target{}, first)
	if chains(second)[0] == chains(first)[0] || chains(second)[1] != chains(first)[1] {
		t.Error("not the chain of the edited listener alone is another")
	}
	other := edited
	other.Settings.TLS.MinVersion = ir.TLS13
	if third := Translate(&ir.Unit{Proxy: &other}, Target{}, second); chains(third)[1] == chains(second)[1] {
		t.Error("other settings have the same chain")
	}
}

func BenchmarkARouteAmongManyDoors(b *testing.B) {
	proxy := unitOfDoors(1000)
	last := Translate(&ir.Unit{Proxy: proxy}, Target{}, nil)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		edited := *proxy
		edited.Routes = slices.Clone(proxy.Routes)
		route := *proxy.Routes[i%len(proxy.Routes)]
		rule := *route.Rules[0]
		route.Rules = []*ir.Rule{&rule}
		edited.Routes[i%len(proxy.Routes)] = &route
		last = Translate(&ir.Unit{Proxy: &edited}, Target{}, last)
	}
}
