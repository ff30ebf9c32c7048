package haproxy

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/haproxytech/client-native/v5/config-parser/params"
	"github.com/haproxytech/client-native/v5/configuration"
	"github.com/haproxytech/client-native/v5/models"

	"github.com/sluice-gateway/sluice/ir/order"
)

// handshakeTimeout bounds what comes before a connection's own bytes.
const handshakeTimeout = 10 * time.Second

// address is where a port listens.
func (c *Config) address(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(c.target.Address, uint16(int(port)+c.target.PortOffset)) //nolint:gosec // Ports are checked where they are given.
}

// The names of sockets, by which rules tell what a connection came by. Those of
// sockets inside are listeners, which have a slash in their names.
const (
	overTCP  = "TCP"
	overQUIC = "QUIC"
)

// bind writes one socket.
func bind(at string, with models.BindParams) string {
	line := configuration.SerializeBind(models.Bind{Address: at, BindParams: with})
	return "bind " + at + " " + params.BindOptionsString(line.Params)
}

// tcpBind is the socket of a port itself. An unspecified address of IPv6 takes IPv4
// too.
func (c *Config) tcpBind(port uint16, with models.BindParams) string {
	with.Name = overTCP
	with.V4v6 = c.target.Address == netip.IPv6Unspecified()
	return bind(c.address(port).String(), with)
}

// binds are the sockets of a port of requests.
func (c *Config) binds(p *order.Port) []string {
	if !speaksTLS(p) {
		return []string{c.tcpBind(p.Port, models.BindParams{})}
	}
	list := c.tlsList(p)
	if len(list.entries) == 0 {
		// Nobody has a certificate. The port is taken all the same.
		return []string{c.tcpBind(p.Port, models.BindParams{}), "tcp-request connection reject"}
	}
	return append([]string{c.tcpBind(p.Port, c.tlsParams(list))}, c.quicBinds(p)...)
}

// entering is what every connection of a port meets before anything of it is read.
func (c *Config) entering(p *order.Port) []string {
	all := c.unmapped()
	if most := c.unit.Proxy.Settings.Limits.Connections; most > 0 {
		// One more is closed at once, and not left to wait for a place.
		all = append(all, "tcp-request connection reject if { fe_conn gt "+strconv.Itoa(most)+" }")
	}
	return append(all, c.proxied(p)...)
}

// unmapped writes addresses of IPv4 as such where a socket of IPv6 takes them too:
// backends are told them, and prefixes are compared with them.
func (c *Config) unmapped() []string {
	if c.target.Address != netip.IPv6Unspecified() {
		return nil
	}
	return []string{
		"tcp-request connection set-src src,ipmask(32) if { src ::ffff:0:0/96 }",
		"tcp-request connection set-dst dst,ipmask(32) if { dst ::ffff:0:0/96 }",
	}
}

// patience bounds what comes before a connection's own bytes: a PROXY header, and a
// handshake.
func (c *Config) patience(p *order.Port) string {
	most := time.Duration(0)
	if len(c.trusted(p.Port)) > 0 {
		most = time.Duration(c.unit.Proxy.Settings.ProxyProtocol.HeaderTimeout)
	}
	if most == 0 || speaksTLS(p) {
		most += handshakeTimeout
	}
	return "timeout client-hs " + milliseconds(most)
}
