package listen

import (
	"errors"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/hello"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/proxyproto"
)

var errNotForTLS = errors.New("the listener of this name passes TLS on")

// introduce reads what comes before a connection's own bytes, and hands it on.
func (s *socket) introduce(c *conn, port *Port) {
	if !s.guard.Opening.Take(1) {
		s.refuse(c, port, "opening")
		return
	}
	defer s.guard.Opening.Give(1)
	if port.Proxy.trusts(c.about.Client.Addr()) {
		if err := c.readHeader(port.Proxy.Timeout); err != nil {
			s.refuse(c, port, "proxy_header")
			return
		}
	}
	if port.TLS == nil {
		port.Serve(c)
		return
	}
	if port.Pass == nil {
		s.handshake(c, port)
		return
	}
	name, err := c.readHello(port.HandshakeTimeout)
	switch {
	case err != nil:
		s.refuse(c, port, "hello")
	case port.Pass(name):
		c.about.ServerName, c.about.Passed = name, true
		port.Serve(c)
	case !port.covers(name):
		// Who would have ended the TLS is not known, so nobody answers in TLS:
		// TLSRoute's conformance takes an alert for an answer.
		s.refuse(c, port, "server_name")
	default:
		s.handshake(c, port)
	}
}

func (p *Port) covers(serverName string) bool {
	_, ok := p.TLS(serverName)
	return ok
}

func (s *socket) refuse(c *conn, port *Port, reason string) {
	s.observer.ConnRefused(port.Number, reason)
	c.Close()
}

// readHeader puts the ends that a trusted proxy speaks for in the place of the
// connection's.
func (c *conn) readHeader(timeout time.Duration) error {
	defer c.bound(timeout)()
	header, err := proxyproto.Read(c.Conn)
	if err != nil {
		return err
	}
	if header.Source.IsValid() && header.Destination.IsValid() {
		c.about.Client, c.about.Local = header.Source, header.Destination
	}
	return nil
}

// readHello reads the client's hello. What was read is read again by whoever
// comes next.
func (c *conn) readHello(timeout time.Duration) (serverName string, err error) {
	defer c.bound(timeout)()
	read, err := hello.Read(c.Conn)
	c.pending = read.Bytes
	return read.ServerName, err
}

// bound sets a deadline for reading, and returns what takes it away.
func (c *conn) bound(timeout time.Duration) (lift func()) {
	if timeout <= 0 {
		return func() {}
	}
	_ = c.SetReadDeadline(time.Now().Add(timeout))
	return func() { _ = c.SetReadDeadline(time.Time{}) }
}
