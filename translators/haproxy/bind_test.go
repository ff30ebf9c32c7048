package haproxy

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// TestAddresses has HAProxy read the sockets of every family.
func TestAddresses(t *testing.T) {
	cert := issued(t, "cert", "ec")
	settings := ir.Settings{
		HTTP3:         ir.HTTP3{Enabled: true, AltSvcMaxAge: ir.Duration(time.Minute)},
		ProxyProtocol: ir.ProxyProtocol{Trusted: []string{"10.1.2.3/8", "2001:db8::/32"}, HeaderTimeout: ir.Duration(time.Second)},
		Timeouts:      ir.ServerTimeouts{StreamIdle: ir.Duration(time.Hour)},
	}
	pass := secure("*.pass.example")
	pass.Protocol, pass.TLS = ir.TLS, &ir.ListenerTLS{Mode: ir.Passthrough}
	for address, want := range map[string][]string{
		"127.0.0.1": {"bind 127.0.0.1:20443 name TCP", "bind quic4@127.0.0.1:20443 name QUIC", "{ src 10.0.0.0/8 2001:db8::/32 }"},
		"0.0.0.0":   {"bind 0.0.0.0:20443 name TCP", "bind quic4@0.0.0.0:20443 name QUIC"},
		"::1":       {"bind [::1]:20443 name TCP", "bind quic6@[::1]:20443 name QUIC"},
		"::":        {"bind [::]:20443 name TCP ", " v4v6", "bind quic6@[::]:20443 name QUIC "},
	} {
		for _, listeners := range [][]*ir.Listener{{secure("*", cert)}, {secure("a.example", cert), pass}} {
			unit := doored(t, settings, []*ir.Certificate{cert}, listeners...).unit
			c := Translate(unit, Target{Address: netip.MustParseAddr(address), PortOffset: 20000}, nil)
			check(t, c)
			for _, part := range want {
				if !strings.Contains(c.Text(), part) {
					t.Errorf("%s: there is no %q in\n%s", address, part, c.Text())
				}
			}
		}
	}
}
