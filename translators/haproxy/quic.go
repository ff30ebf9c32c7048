package haproxy

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/haproxytech/client-native/v5/models"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// servesHTTP3 says whether HTTP/3 is served on the UDP side of a port: not where all
// that could be is closed.
func (c *Config) servesHTTP3(p *order.Port) bool {
	for _, l := range p.Listeners {
		if p.HTTP3 && l.Listener.Protocol == ir.HTTPS && !c.closes(l.Listener) {
			return true
		}
	}
	return false
}

// quicBinds are the sockets of HTTP/3. Each family has its own.
func (c *Config) quicBinds(p *order.Port) []string {
	if !c.servesHTTP3(p) {
		return nil
	}
	with := c.tlsParams(c.tlsList(p))
	with.Name, with.Alpn, with.NoAlpn = overQUIC, "h3", false
	with.V4v6 = c.target.Address == netip.IPv6Unspecified()
	with.SslMinVer = models.BindParamsSslMinVerTLSv1Dot3
	family := "quic4@"
	if c.target.Address.Is6() {
		family = "quic6@"
	}
	return []string{bind(family+c.address(p.Port).String(), with)}
}

// announcement tells clients of TLS over TCP about HTTP/3, in the place of what a
// backend has to say of its own: clients cannot reach that. Answers that speak for
// their connection alone say nothing (RFC 7838, section 6, of 421).
func (c *Config) announcement(p *order.Port) []string {
	if !c.servesHTTP3(p) {
		return nil
	}
	age := time.Duration(c.unit.Proxy.Settings.HTTP3.AltSvcMaxAge) / time.Second
	value := fmt.Sprintf(`h3=":%d"; ma=%d`, c.address(p.Port).Port(), age)
	return []string{
		"http-after-response set-header alt-svc " + format(value) + " if !{ so_name " + overQUIC + " } !{ status 101 421 }",
		"http-after-response del-header alt-svc if { so_name " + overQUIC + " } || { status 421 }",
	}
}
