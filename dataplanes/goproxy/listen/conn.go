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
	// pending was read already, and is read again. It is empty but on ports where
	// a listener passes TLS on.
	pending []byte
}

var _ exchange.Carrier = (*conn)(nil)

func newConn(c net.Conn, closed func()) *conn {
	return &conn{Conn: c, closed: closed, about: exchange.Conn{
		Client: addrPort(c.RemoteAddr()), Local: addrPort(c.LocalAddr()),
	}}
}

// Exchange returns what is known about the connection.
func (c *conn) Exchange() *exchange.Conn { return &c.about }

// Read reads what was read ahead, then the connection.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.pending) > 0 {
		n := copy(p, c.pending)
		c.pending = c.pending[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// Bare returns the connection without this package's part in it, for whoever
// moves bytes in bulk, and what was read of it already. Close is still to be
// called on the whole.
func (c *conn) Bare() (net.Conn, []byte) { return c.Conn, c.pending }

// SetLinger is net.TCPConn's.
func (c *conn) SetLinger(seconds int) error {
	if l, ok := c.Conn.(interface{ SetLinger(int) error }); ok {
		return l.SetLinger(seconds)
	}
	return nil
}

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
