package h1

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// Conn is a connection with a client or with a backend. Where the platform lets
// it, it makes its system calls itself: see rawConn. One goroutine at a time may
// read, and one may write.
type Conn struct {
	net.Conn
	raw *rawConn
	// below is the connection that carries this one, for TLS.
	below *Conn

	// first is read into where there is no buffer yet.
	first [64]byte

	// asked says that the last request to be written has been written whole.
	asked bool

	// least is how many octets must be taken of a write in each time-out that it
	// takes; 0 is any.
	least int

	reads, writes deadline
	// interrupted stays true: reads of a connection that is on its way out are not
	// given more time.
	interrupted atomic.Bool
	aborted     atomic.Bool
}

var _ net.Conn = (*Conn)(nil)

// NewConn wraps an open connection. A TLS connection that was made over a *Conn
// finds it, so that Stale can look below the TLS.
func NewConn(c net.Conn) *Conn {
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
		return c.below.Stale()
	default:
		return false
	}
}

// tells reports whether Stale can tell.
func (c *Conn) tells() bool { return c.raw != nil || c.below != nil && c.below.tells() }

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

// gone reports whether the other side is known to have closed the connection
// while it waits for us. Any goroutine may ask.
func (c *Conn) gone() bool {
	switch {
	case c.raw != nil:
		return c.raw.gone(false)
	case c.below != nil && c.below.raw != nil:
		return c.below.raw.gone(true)
	default:
		return false
	}
}

// send writes all of p, and gives up when not an octet of it was taken for a
// time-out, or fewer than the least. What is below TLS must do that itself: TLS cannot go on after it.
func (c *Conn) send(p []byte, now time.Time, timeout time.Duration) (int, error) {
	if c.below != nil {
		timeout = 0
	}
	for sent := 0; ; {
		if err := c.writeWithin(now, timeout); err != nil {
			return sent, err
		}
		n, err := c.Write(p[sent:])
		sent += n
		if n == 0 || n < c.least || timeout <= 0 || c.aborted.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
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

// readWithin bounds the reads that follow; 0 is no bound.
func (c *Conn) readWithin(now time.Time, timeout time.Duration) error {
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

// writeWithin bounds the writes that follow; 0 is no bound.
func (c *Conn) writeWithin(now time.Time, timeout time.Duration) error {
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

// interrupt ends a read that another goroutine is in, and all that follow.
func (c *Conn) interrupt() {
	c.interrupted.Store(true)
	c.Conn.SetReadDeadline(longAgo)
}

// abort ends all reads and writes. Unlike Close it does not wait for them, so
// that any goroutine may call it.
func (c *Conn) abort() {
	c.interrupted.Store(true)
	c.aborted.Store(true)
	c.Conn.SetDeadline(longAgo)
}

// await waits until a connection that has nothing in work can be read, and
// reads. The stream, which is empty, holds no buffer meanwhile.
func (c *Conn) await(s *stream) error {
	if c.raw != nil {
		return c.raw.await(s)
	}
	n, err := c.Conn.Read(c.first[:])
	if n == 0 {
		return err
	}
	s.acquire()
	s.w = copy(s.buf, c.first[:n])
	return nil
}
