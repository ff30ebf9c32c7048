package rawconn

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// ErrStale says that an idle connection to a backend was closed or spoken to by
// it. Nothing of the request was sent, so that any request may be sent again.
var ErrStale = errors.New("the idle connection was closed by the backend")

// Conn is a connection with a client or with a backend. Where the platform lets
// it, it makes its system calls itself: see rawConn. One goroutine at a time may
// read, and one may write.
type Conn struct {
	net.Conn
	raw *rawConn
	// below is the connection that carries this one, for TLS.
	below *Conn

	// first is read into where there is no buffer yet; nil until then.
	first *[64]byte

	// asked says that the last request to be written has been written whole, and
	// carried that the connection has carried an exchange.
	asked, carried bool

	// Least is how many octets must be taken of what is sent in each time-out that
	// it takes; 0 is any. It is set before the first Send.
	Least int

	reads, writes deadline
	// interrupted stays true: reads of a connection that is on its way out are not
	// given more time.
	interrupted atomic.Bool
	aborted     atomic.Bool
}

var _ net.Conn = (*Conn)(nil)

// New wraps an open connection. A TLS connection that was made over a *Conn
// finds it, so that Stale can look below the TLS.
func New(c net.Conn) *Conn {
	if already, ok := c.(*Conn); ok {
		return already
	}
	if carrier, ok := c.(Carrier); ok {
		if below := carrier.Raw(); below != nil {
			return &Conn{Conn: c, raw: below.raw}
		}
	}
	conn := &Conn{Conn: c, raw: newRawConn(c)}
	if over, ok := c.(interface{ NetConn() net.Conn }); ok {
		conn.below = belowTLS(over.NetConn())
	}
	return conn
}

// Carrier is a connection that adds something to one of this package's.
type Carrier interface {
	net.Conn
	// Raw returns the connection that octets may be read from and written to in the
	// carrier's place; nil if they may not. What else there is to do with a
	// connection is asked of the carrier.
	Raw() *Conn
}

func belowTLS(c net.Conn) *Conn {
	if carrier, ok := c.(Carrier); ok {
		return carrier.Raw()
	}
	below, _ := c.(*Conn)
	return below
}

// Plain wraps an open connection and leaves the system calls to package net.
func Plain(c net.Conn) *Conn { return &Conn{Conn: c} }

// Read reads once.
func (c *Conn) Read(p []byte) (int, error) {
	// Longer calls are better known to the scheduler: a raw one holds the P.
	if c.raw == nil || len(p) > mostRaw {
		return c.Conn.Read(p)
	}
	return c.raw.read(p)
}

// Write writes all of p.
func (c *Conn) Write(p []byte) (int, error) {
	if c.raw == nil || len(p) > mostRaw {
		return c.Conn.Write(p)
	}
	return c.raw.write(p)
}

// mostRaw is the longest transfer in one raw system call.
const mostRaw = 64 << 10

// Stale reports whether an idle connection to a backend is of no more use: the
// backend has closed it, or has said something that nobody asked for. Where
// that cannot be told, it reports false.
func (c *Conn) Stale() bool {
	switch {
	case c.raw != nil:
		return c.raw.stale()
	case c.below != nil:
		// Behind the handshake come tickets, which are nobody's answer.
		return c.carried && c.below.Stale()
	default:
		return false
	}
}

// Tells reports whether Stale can tell.
func (c *Conn) Tells() bool { return c.raw != nil || c.below != nil && c.below.Tells() }

// Ask writes a request and reads the beginning of its answer into in. It
// returns ErrStale, and has written nothing, where the connection turns out to
// be stale.
func (c *Conn) Ask(request, in []byte) (int, error) {
	if c.raw != nil && len(request) <= mostRaw {
		n, err := c.raw.ask(request, in)
		c.asked = c.raw.wrote
		return n, err
	}
	if c.asked = false; c.Stale() {
		return 0, ErrStale
	}
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	c.asked = true
	return c.Read(in)
}

// Gone reports whether the other side is known to have closed the connection
// while it waits for us. Any goroutine may ask.
func (c *Conn) Gone() bool {
	switch {
	case c.raw != nil:
		return c.raw.gone(false)
	case c.below != nil && c.below.raw != nil:
		return c.below.raw.gone(true)
	default:
		return false
	}
}

// Parkable reports whether another than the runtime may wait for the connection.
func (c *Conn) Parkable() bool { return c.raw != nil || c.below != nil && c.below.raw != nil }

// Over reports whether another connection carries this one, as TLS is carried.
func (c *Conn) Over() bool { return c.below != nil }

// Control calls f with the descriptor, which is open until f returns. It fails
// for a connection that was closed, and where Parkable is false.
func (c *Conn) Control(f func(fd uintptr)) error {
	switch {
	case c.raw != nil:
		return c.raw.control(f)
	case c.below != nil && c.below.raw != nil:
		return c.below.raw.control(f)
	default:
		return errors.ErrUnsupported
	}
}

// Send writes all of p, and gives up when not an octet of it was taken for a
// time-out, or fewer than the least. What is below TLS must do that itself: TLS
// cannot go on after it.
func (c *Conn) Send(p []byte, now time.Time, timeout time.Duration) (int, error) {
	if c.below != nil {
		timeout = 0
	}
	for sent := 0; ; {
		if err := c.WriteWithin(now, timeout); err != nil {
			return sent, err
		}
		n, err := c.Write(p[sent:])
		sent += n
		if n == 0 || n < c.Least || timeout <= 0 || c.aborted.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return sent, err
		}
		now, c.writes.at = time.Now(), time.Time{}
	}
}

// CloseWrite ends our side of the stream alone.
func (c *Conn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// deadline is the one that a connection has, in the steps in which it is set.
type deadline struct{ at time.Time }

// due reports whether a deadline must be set for one that is wanted. One that
// comes up to an eighth of the time-out too early is left alone, as setting it
// for each message costs more than it is worth.
func (d *deadline) due(now time.Time, timeout time.Duration) bool {
	if timeout <= 0 {
		if d.at.IsZero() {
			return false
		}
		d.at = time.Time{}
		return true
	}
	want := now.Add(timeout)
	if !d.at.IsZero() && !d.at.After(want) && want.Sub(d.at) <= timeout/8 {
		return false
	}
	d.at = want
	return true
}

// ReadWithin bounds the reads that follow; 0 is no bound.
func (c *Conn) ReadWithin(now time.Time, timeout time.Duration) error {
	if !c.reads.due(now, timeout) {
		return nil
	}
	if err := c.Conn.SetReadDeadline(c.reads.at); err != nil {
		return err
	}
	if c.interrupted.Load() {
		return c.Conn.SetReadDeadline(longAgo)
	}
	return nil
}

// WriteWithin bounds the writes that follow; 0 is no bound.
func (c *Conn) WriteWithin(now time.Time, timeout time.Duration) error {
	if !c.writes.due(now, timeout) {
		return nil
	}
	if err := c.Conn.SetWriteDeadline(c.writes.at); err != nil {
		return err
	}
	if c.aborted.Load() {
		return c.Conn.SetWriteDeadline(longAgo)
	}
	return nil
}

var longAgo = time.Unix(1, 0)

// Interrupt ends a read that another goroutine is in, and all that follow.
func (c *Conn) Interrupt() {
	c.interrupted.Store(true)
	c.Conn.SetReadDeadline(longAgo)
}

// Abort ends all reads and writes. Unlike Close it does not wait for them, so
// that any goroutine may call it.
func (c *Conn) Abort() {
	c.interrupted.Store(true)
	c.aborted.Store(true)
	c.Conn.SetDeadline(longAgo)
}

// Lender has a buffer for what is read, and gets it back where nothing is.
type Lender interface {
	// Lend returns a buffer of at least 64 octets.
	Lend() []byte
	Return()
}

// Await waits until a connection that has nothing in work can be read, and
// reads. Nothing is lent while it waits; after an error everything was returned.
func (c *Conn) Await(l Lender) (int, error) {
	if c.raw != nil {
		return c.raw.await(l)
	}
	if c.first == nil {
		c.first = new([64]byte)
	}
	n, err := c.Conn.Read(c.first[:])
	if n == 0 {
		return 0, err
	}
	return copy(l.Lend(), c.first[:n]), nil
}

// Asked reports whether the last request of Ask was written whole.
func (c *Conn) Asked() bool { return c.asked }

// Carried says that the connection has carried an exchange: see Stale.
func (c *Conn) Carried() { c.carried = true }

// Aborted reports whether reads and writes have been ended.
func (c *Conn) Aborted() bool { return c.aborted.Load() }

// Interrupted reports whether reads have been ended.
func (c *Conn) Interrupted() bool { return c.interrupted.Load() }

// Raw reports whether reads and writes go to the socket at once.
func (c *Conn) Raw() bool { return c.raw != nil }

// Hurried has the next bound of reads set anew, as one came too early that was
// set in steps.
func (c *Conn) Hurried() { c.reads.at = time.Time{} }
