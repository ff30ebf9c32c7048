package engine

import (
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

func routes(n int) []*ir.Route {
	list := make([]*ir.Route, n)
	for i := range list {
		list[i] = &ir.Route{Origin: ir.Object{Kind: "HTTPRoute", Namespace: "a", Name: fmt.Sprint(i)}, Kind: ir.HTTPRoute}
	}
	return list
}

// TestVersionNamesContent: equal units have equal versions, others have not.
func TestVersionNamesContent(t *testing.T) {
	owner := ir.Object{Kind: "Gateway", Namespace: "a", Name: "g"}
	unit := func() *ir.Proxy {
		return &ir.Proxy{
			Owner: owner, Listeners: []*ir.Listener{{Key: ir.ListenerKey{Owner: owner, Section: "http"}, Port: 80}}, Routes: routes(3),
			Backends: []*ir.Backend{{Key: ir.BackendKey{Protocol: ir.BackendHTTP1}}}, Certificates: []*ir.Certificate{{PrivateKey: "k"}},
		}
	}
	var v version
	first := v.of(unit())
	if again := v.of(unit()); again != first {
		t.Error("equal units have different versions")
	}
	seen := map[string]string{first: "the unit"}
	for what, change := range map[string]func(*ir.Proxy){
		"owner":       func(p *ir.Proxy) { p.Owner.Name = "h" },
		"settings":    func(p *ir.Proxy) { p.Settings.Limits.Connections = 1 },
		"listener":    func(p *ir.Proxy) { p.Listeners[0].Port = 81 },
		"route":       func(p *ir.Proxy) { p.Routes[1].Kind = ir.GRPCRoute },
		"order":       func(p *ir.Proxy) { p.Routes[0], p.Routes[1] = p.Routes[1], p.Routes[0] },
		"backend":     func(p *ir.Proxy) { p.Backends[0].Key.Protocol = ir.BackendH2C },
		"certificate": func(p *ir.Proxy) { p.Certificates[0].PrivateKey = "l" },
		"no routes":   func(p *ir.Proxy) { p.Routes = nil },
	} {
		p := unit()
		change(p)
		got := v.of(p)
		if was, taken := seen[got]; taken {
			t.Errorf("%s: has the version of %s", what, was)
		}
		seen[got] = what
	}
}
