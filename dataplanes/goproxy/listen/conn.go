package listen

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// conn is an accepted connection below TLS.
type conn struct {
	net.Conn
	// raw makes the system calls.
	raw    *rawconn.Conn
	about  exchange.Conn
	once   sync.Once
	closed func()
	// pending was read already, and is read again. It is empty but on ports where
	// a listener passes TLS on.
	pending []byte
	// stall bounds a write that makes no progress; 0 is no bound.
	stall time.Duration
	// least is how many bytes of a write must be taken in a stall; 0 is any.
	least int
	// until is the deadline in force, in nanoseconds since began; foreign is true
	// where it is somebody else's.
	until   atomic.Int64
	foreign atomic.Bool
}

var (
	_ exchange.Carrier = (*conn)(nil)
	_ rawconn.Carrier  = (*conn)(nil)
)

func newConn(c net.Conn, closed func()) *conn {
	return &conn{Conn: c, raw: rawconn.New(c), closed: closed, about: exchange.Conn{
		Client: rawconn.AddrPort(c.RemoteAddr()), Local: rawconn.AddrPort(c.LocalAddr()),
	}}
}

// Raw returns the connection below, for who bounds its writes; nil while
// something is to be read again.
func (c *conn) Raw() *rawconn.Conn {
	if len(c.pending) > 0 {
		return nil
	}
	return c.raw
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
	return c.raw.Read(p)
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

// Write gives up on a client that takes not one byte in a stall, or fewer than
// the least. One that reads slowly, but not as slowly as that, is not given up
// on.
func (c *conn) Write(p []byte) (int, error) {
	sent := 0
	for {
		c.extend()
		n, err := c.raw.Write(p[sent:])
		sent += n
		if n == 0 || n < c.least || c.foreign.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
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
	passed := now.Sub(began)
	if time.Duration(c.until.Load()) > passed+c.stall {
		return
	}
	lasts := c.stall + c.stall/4
	c.until.Store(int64(passed + lasts))
	_ = c.Conn.SetWriteDeadline(now.Add(lasts))
}

// began is what times are kept from that must not move with the system's clock:
// deadlines do not.
var began = time.Now()

// unbound takes the stall away for good, before the connection is handed on.
func (c *conn) unbound() {
	c.stall = 0
	_ = c.SetWriteDeadline(time.Time{})
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
