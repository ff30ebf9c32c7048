package gatewayapi_test

import (
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

// sound holds a unit to what the ir promises to whoever reads it.
func sound(t *testing.T, proxy *ir.Proxy) {
	t.Helper()
	if proxy == nil {
		return
	}
	listeners := map[ir.ListenerKey]*ir.Listener{}
	for _, l := range proxy.Listeners {
		if listeners[l.Key] != nil {
			t.Errorf("listener %v is there twice", l.Key)
		}
		listeners[l.Key] = l
		soundListener(t, proxy, l)
	}
	for _, route := range proxy.Routes {
		for _, a := range route.Attachments {
			if l := listeners[a.Listener]; l == nil || l.Refused != "" {
				t.Errorf("%v is attached to %v, which serves nothing", route.Origin, a.Listener)
			}
		}
		for i, rule := range route.Rules {
			soundRule(t, proxy, rule)
			if l4 := route.Kind != ir.HTTPRoute && route.Kind != ir.GRPCRoute; l4 && i > 0 && rule.Refused == "" {
				t.Errorf("%v has no traffic for rule %d, which is not refused", route.Origin, i)
			}
		}
	}
}

func soundListener(t *testing.T, proxy *ir.Proxy, l *ir.Listener) {
	t.Helper()
	secure := func(l *ir.Listener) bool { return l.Protocol == ir.HTTPS || l.Protocol == ir.TLS }
	serves := func(other *ir.Listener) bool {
		return other.Refused == "" && other.Port == l.Port && secure(other) == secure(l) && other.Hostname != l.Hostname
	}
	switch {
	case l.Refused == "" && secure(l) != (l.TLS != nil):
		t.Errorf("%v speaks %s and has the TLS %v", l.Key, l.Protocol, l.TLS)
	case l.Refused != "" && (l.TLS != nil || !slices.ContainsFunc(proxy.Listeners, serves)):
		t.Errorf("%v is refused, and keeps its hostname from nobody", l.Key)
	}
}

func soundRule(t *testing.T, proxy *ir.Proxy, rule *ir.Rule) {
	t.Helper()
	if rule.Refused != "" && (len(rule.Filters) > 0 || len(rule.Backends) > 0 || rule.Retry != nil || rule.Session != nil) {
		t.Errorf("%v is refused, and still does something", rule.Origin)
	}
	for _, use := range rule.Backends {
		known := func(b *ir.Backend) bool { return b.Key == *use.Backend }
		if use.Backend != nil && !slices.ContainsFunc(proxy.Backends, known) {
			t.Errorf("%v leads to %v, which is not there", rule.Origin, *use.Backend)
		}
	}
}
