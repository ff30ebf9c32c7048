package envoy

import (
	"net/netip"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

func namedConfig() *Config {
	listener := func(section string, port uint16, protocol ir.Protocol, hostname string) *ir.Listener {
		return &ir.Listener{
			Key:  ir.ListenerKey{Owner: ir.Object{Kind: "Gateway", Namespace: "a", Name: "gw"}, Section: section},
			Port: port, Protocol: protocol, Hostname: hostname,
		}
	}
	return Translate(&ir.Unit{Proxy: &ir.Proxy{Listeners: []*ir.Listener{
		listener("wide", 80, ir.HTTP, "*.example"), listener("narrow", 80, ir.HTTP, "a.example"), listener("tcp", 90, ir.TCP, "*"),
	}}}, Target{Address: netip.IPv4Unspecified()}, nil)
}

func TestWhatHasNoRouteIsItsListeners(t *testing.T) {
	c := namedConfig()
	for _, want := range []struct{ door, host, listener, flag string }{
		{"80", "b.example", "a/gw/wide", ""},
		{"80", "a.example", "a/gw/narrow", ""},
		{"80", "b.other", "", ""},
		{"80", "", "", ""},
		{"stream/90", "", "a/gw/tcp", "no_route"},
		{"else", "a.example", "", ""},
	} {
		if n := c.Names(want.door, want.host); n.Listener != want.listener || n.Flag != want.flag {
			t.Errorf("%+v: have %+v", want, n)
		}
	}
}

func TestRoutesAreReadAsTheyAreNamed(t *testing.T) {
	for _, n := range []Named{
		{Listener: "a/gw/http", Route: "HTTPRoute/a/web", Rule: "0"},
		{Listener: "a/gw/http", Route: "HTTPRoute/a/web", Rule: "12", Flag: "no_backend"},
		{Listener: "a/gw/http", Route: "HTTPRoute/a/web", Rule: "12", Backend: "a/b:80"},
		{Listener: "a/gw/http", Flag: "refused_listener"},
		{Flag: "misdirected"},
	} {
		if got := ParseRoute(n.label()); n.Listener != "" && got != n {
			t.Errorf("%+v became %q, and that %+v", n, n.label(), got)
		}
	}
	if got := ParseRoute("misdirected"); got != (Named{Flag: "misdirected"}) {
		t.Errorf("a flag by itself became %+v", got)
	}
}

// FuzzNames has clients choose any host.
func FuzzNames(f *testing.F) {
	for _, host := range []string{"", ".", "*", "*.", "..", "*.example", ".example", "a", "\xff", "[::1]", "a.*.example"} {
		f.Add(host)
	}
	c := namedConfig()
	f.Fuzz(func(_ *testing.T, host string) {
		for _, door := range []string{"80", "stream/90", host} {
			c.Names(door, host)
			ParseRoute(host)
			ParseCluster(host)
		}
	})
}
