package goproxy

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

var gateway = ir.Object{Kind: "Gateway", Namespace: "infra", Name: "edge"}

func key(section string) ir.ListenerKey { return ir.ListenerKey{Owner: gateway, Section: section} }

func route(name string, listener ir.ListenerKey, hostname string) *ir.Route {
	origin := ir.Object{Kind: "HTTPRoute", Namespace: "shop", Name: name}
	return &ir.Route{
		Origin:      origin,
		Kind:        ir.HTTPRoute,
		Created:     time.Unix(1, 0),
		Attachments: []ir.Attachment{{Listener: listener, Hostnames: []string{hostname}}},
		Rules: []*ir.Rule{{
			Origin:  ir.Origin{Object: origin},
			Matches: []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: "/"}}},
		}},
	}
}

func unit() *ir.Unit {
	return &ir.Unit{Proxy: &ir.Proxy{
		Owner: gateway,
		Listeners: []*ir.Listener{
			{Key: key("any"), Port: 443, Protocol: ir.HTTPS, Hostname: "*", TLS: &ir.ListenerTLS{Mode: ir.Terminate}},
			{Key: key("shop"), Port: 443, Protocol: ir.HTTPS, Hostname: "*.example.org", TLS: &ir.ListenerTLS{Mode: ir.Terminate}},
			{Key: key("web"), Port: 80, Protocol: ir.HTTP, Hostname: "*"},
			{Key: key("raw"), Port: 9000, Protocol: ir.TCP},
		},
		Routes: []*ir.Route{
			route("a", key("web"), "a.example.org"),
			route("b", key("web"), "*.example.org"),
			route("c", key("shop"), "c.example.org"),
		},
		Certificates: []*ir.Certificate{{
			Key: ir.CertificateKey{Namespace: "infra", Name: "edge"}, Chain: "-chain-", PrivateKey: "-very-private-",
		}},
	}}
}

func TestTranslateOrdersPortsListenersAndHosts(t *testing.T) {
	config := Translate(unit(), nil)
	var got []string
	for _, p := range config.Ports {
		for _, l := range p.Listeners {
			got = append(got, l.Listener.Key.Section)
			for _, h := range l.Hosts {
				got = append(got, h.Hostname)
			}
		}
	}
	want := "web a.example.org *.example.org shop c.example.org any"
	if strings.Join(got, " ") != want {
		t.Errorf("order is %q, want %q", strings.Join(got, " "), want)
	}
}

func TestTranslateSharesWhatHasNotChanged(t *testing.T) {
	u := unit()
	first := Translate(u, nil)
	changed := *u.Proxy
	changed.Routes = append([]*ir.Route{route("a", key("web"), "a.example.org")}, u.Proxy.Routes[1:]...)
	second := Translate(&ir.Unit{Proxy: &changed}, first)
	before, after := first.Ports[0].Listeners[0].Hosts, second.Ports[0].Listeners[0].Hosts
	if before[0] == after[0] {
		t.Error("the host of a changed route was taken over")
	}
	if before[1] != after[1] {
		t.Error("the host of an unchanged route was made again")
	}
}

func TestConfigIsWrittenWithoutSecrets(t *testing.T) {
	text, err := json.Marshal(Translate(unit(), nil))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "very-private") || !strings.Contains(string(text), "[redacted]") {
		t.Errorf("the private key is not redacted: %s", text)
	}
	again, _ := json.Marshal(Translate(unit(), nil))
	if string(text) != string(again) {
		t.Error("the same unit is written in two ways")
	}
}
