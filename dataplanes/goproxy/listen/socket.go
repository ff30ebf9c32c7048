package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// socket is one bound address.
type socket struct {
	listener net.Listener
	port     atomic.Pointer[Port]
	open     *atomic.Int64
	observer Observer
	// base is the same for the life of the socket, so that its session tickets
	// survive a change of listeners.
	base *tls.Config
}

func bind(addr netip.AddrPort, port *Port, s *Sockets) (*socket, error) {
	ln, err := net.Listen("tcp", addr.String())
	if err != nil {
		return nil, err
	}
	sock := &socket{listener: ln, observer: s.observer, open: s.count(addr)}
	sock.base = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: sock.forClient}
	sock.port.Store(port)
	go sock.accept()
	return sock, nil
}

// accept runs until the socket is closed. Other errors, such as a lack of file
// descriptors, pass: it waits for a moment and goes on.
func (s *socket) accept() {
	const most = time.Second
	wait := time.Duration(0)
	for {
		c, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			wait = min(max(2*wait, 5*time.Millisecond), most)
			<-time.After(wait)
			continue
		}
		wait = 0
		s.admit(c)
	}
}

func (s *socket) admit(raw net.Conn) {
	port := s.port.Load()
	if n := s.open.Add(1); port.MaxConnections > 0 && n > int64(port.MaxConnections) {
		s.open.Add(-1)
		s.observer.ConnRefused(port.Number, "limit")
		raw.Close()
		return
	}
	s.observer.ConnOpened(port.Number)
	c := newConn(raw, func() {
		s.open.Add(-1)
		s.observer.ConnClosed(port.Number)
	})
	c.about.Port, c.stall = port.Number, port.Stall
	if port.TLS == nil && port.Proxy == nil {
		port.Serve(c)
		return
	}
	go s.introduce(c, port)
}

// forClient meets a client's hello with the listeners of now, and not with
// those of when the socket was bound.
func (s *socket) forClient(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	c, ok := hello.Conn.(*conn)
	port := s.port.Load()
	if !ok || port.TLS == nil {
		return nil, errors.New("the port has ceased to speak TLS")
	}
	if port.Pass != nil && port.Pass(hello.ServerName) {
		return nil, errNotForTLS
	}
	c.about.ServerName = hello.ServerName
	config, l := port.forClient(c.about.ServerName)
	c.about.Validation, c.about.Stream = l.Validation, l.Stream
	return config, nil
}

func (s *socket) handshake(c *conn, port *Port) {
	ctx, cancel := handshakeContext(port.HandshakeTimeout)
	defer cancel()
	tlsConn := tls.Server(c, s.base)
	if err := tlsConn.HandshakeContext(ctx); err != nil {
		s.refuse(c, port, "handshake")
		return
	}
	c.about.TLS = true
	if c.about.Stream {
		// A client of a stream may take nothing for as long as it is not idle.
		c.unbound()
	}
	port.Serve(tlsConn)
}

func handshakeContext(timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout <= 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), timeout)
}
