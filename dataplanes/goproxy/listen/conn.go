package listen

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/wire/h1"
)

// conn is an accepted connection below TLS.
type conn struct {
	net.Conn
	// raw makes the system calls.
	raw    *h1.Conn
	about  exchange.Conn
	once   sync.Once
	closed func()
	// stall bounds a write that makes no progress; 0 is no bound.
	stall time.Duration
	// until is the deadline in force, in nanoseconds since the epoch; foreign is
	// true where it is somebody else's.
	until   atomic.Int64
	foreign atomic.Bool
}

var (
	_ exchange.Carrier = (*conn)(nil)
	_ h1.Carrier       = (*conn)(nil)
)

func newConn(c net.Conn, closed func()) *conn {
	return &conn{Conn: c, raw: h1.NewConn(c), closed: closed, about: exchange.Conn{
		Client: addrPort(c.RemoteAddr()), Local: addrPort(c.LocalAddr()),
	}}
}

// Raw returns the connection below, for who bounds its writes.
func (c *conn) Raw() *h1.Conn { return c.raw }

// Read reads once.
func (c *conn) Read(p []byte) (int, error) { return c.raw.Read(p) }

// Exchange returns what is known about the connection.
func (c *conn) Exchange() *exchange.Conn { return &c.about }

// Close closes the connection and gives its place back, once.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.closed)
	return err
}

// Write gives up on a client that takes not one byte in a stall. One that reads
// slowly is not given up on.
func (c *conn) Write(p []byte) (int, error) {
	sent := 0
	for {
		c.extend()
		n, err := c.raw.Write(p[sent:])
		sent += n
		if n == 0 || c.foreign.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return sent, err
		}
	}
}

// extend pushes the deadline ahead, now and then: setting it for each write
// would be felt.
func (c *conn) extend() {
	if c.stall <= 0 || c.foreign.Load() {
		return
	}
	now := time.Now()
	if c.until.Load() > now.Add(c.stall).UnixNano() {
		return
	}
	until := now.Add(c.stall + c.stall/4)
	c.until.Store(until.UnixNano())
	_ = c.Conn.SetWriteDeadline(until)
}

// SetWriteDeadline puts another deadline in the place of the stall's; none puts
// that in force again.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.foreign.Store(!t.IsZero())
	c.until.Store(0)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline is SetWriteDeadline, and SetReadDeadline.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
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
