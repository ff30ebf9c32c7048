package listen

import (
	"net"
	"net/netip"
	"sync"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
)

// conn is an accepted connection below TLS.
type conn struct {
	net.Conn
	about  exchange.Conn
	once   sync.Once
	closed func()
}

var _ exchange.Carrier = (*conn)(nil)

func newConn(c net.Conn, closed func()) *conn {
	return &conn{Conn: c, closed: closed, about: exchange.Conn{
		Client: addrPort(c.RemoteAddr()), Local: addrPort(c.LocalAddr()),
	}}
}

// Exchange returns what is known about the connection.
func (c *conn) Exchange() *exchange.Conn { return &c.about }

// Close closes the connection and gives its place back, once.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.closed)
	return err
}

// CloseWrite ends our side of the stream alone, for tunnels.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
