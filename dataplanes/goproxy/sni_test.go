package goproxy

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/listen"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/table"
	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/filter"
	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
	"github.com/sluice-gateway/sluice/ir"
)

// bySpecification says which hostname a name belongs to, as Gateway API words
// it: exact, then the longest wildcard, then every host.
func bySpecification(hostnames []string, name string) string {
	best := ""
	for _, h := range hostnames {
		suffix, wildcard := strings.CutPrefix(h, "*")
		switch {
		case h == name:
			return h
		case h == "*" && best == "":
			best = h
		case wildcard && h != "*" && len(name) > len(suffix) && strings.HasSuffix(name, suffix) && len(h) > len(best):
			best = h
		}
	}
	return best
}

// normalised is a host name as clients may write it; what is not ASCII is none.
func normalised(sni string) string {
	if strings.IndexFunc(sni, func(r rune) bool { return r > 127 }) >= 0 {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(sni, "."))
}

// sniGeneration has one TLS listener a hostname; the hostname is its section.
func sniGeneration(hostnames []string) *generation {
	proxy := &ir.Proxy{}
	for _, h := range hostnames {
		proxy.Listeners = append(proxy.Listeners, &ir.Listener{
			Key: ir.ListenerKey{Section: h}, Port: 443, Protocol: ir.HTTPS, Hostname: h,
			TLS: &ir.ListenerTLS{Mode: ir.Terminate},
		})
	}
	a := dataplanes.Assignment{Unit: &ir.Unit{Proxy: proxy}, Address: netip.IPv6Loopback()}
	g := build(a, nil, lasting{shared: &shared{sessions: filter.NewSessions(nil), guard: &guard.Guard{}}})
	for key := range g.tls {
		// What the handshake is given stands for itself, without certificates.
		g.tls[key] = prepared{TLSListener: listen.TLSListener{Validation: key.Section}}
	}
	return g
}

// FuzzSNI holds the listener of a handshake to the specification, and the
// requests on the connection to the listener of their handshake.
func FuzzSNI(f *testing.F) {
	for _, name := range []string{
		"", ".", "*", "a.example", "A.Example.", "x.a.example", "example", ".example", "x..example",
		"*.example", "a.b.c.example", "xn--bcher-kva.example", "a\x00.example", "\u0130.example", "\u212aey.example", "a.example..",
	} {
		f.Add(name, true)
		f.Add(name, false)
	}
	specific := []string{"a.example", "*.example", "*.b.example", "c.b.example"}
	narrow, wide := sniGeneration(specific), sniGeneration(append([]string{"*"}, specific...))
	f.Fuzz(func(t *testing.T, sni string, catchAll bool) {
		g, hostnames := narrow, specific
		if catchAll {
			g, hostnames = wide, append([]string{"*"}, specific...)
		}
		name := normalised(sni)
		want := bySpecification(hostnames, name)
		got, ok := g.findTLS(443)(sni)
		if ok != (want != "") || got.Validation != want {
			t.Errorf("SNI %q: listener %q (%t), want %q", sni, got.Validation, ok, want)
		}
		hit := g.table.Port(443).Lookup(sni, &exchange.Request{Host: name, Path: "/"})
		if hit.Outcome != table.NoRoute {
			t.Errorf("SNI %q with the same host is %v, want no route", sni, hit.Outcome)
		}
	})
}
