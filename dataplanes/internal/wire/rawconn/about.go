package rawconn

import (
	"net"
	"net/netip"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// About finds what is known about a connection, on it or below.
func About(c net.Conn) *exchange.Conn {
	for at := c; at != nil; {
		if carrier, ok := at.(exchange.Carrier); ok {
			return carrier.Exchange()
		}
		switch over := at.(type) {
		case interface{ NetConn() net.Conn }:
			at = over.NetConn()
		case *Conn:
			at = over.Conn
		default:
			at = nil
		}
	}
	return &exchange.Conn{Client: AddrPort(c.RemoteAddr()), Local: AddrPort(c.LocalAddr())}
}

// AddrPort is an address of TCP or UDP, IPv4 as such; not valid for any other.
func AddrPort(a net.Addr) netip.AddrPort {
	known, ok := a.(interface{ AddrPort() netip.AddrPort })
	if !ok {
		return netip.AddrPort{}
	}
	ap := known.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
