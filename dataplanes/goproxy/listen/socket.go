package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
)

// socket is one bound address.
type socket struct {
	listener net.Listener
	port     atomic.Pointer[Port]
	open     *guard.Budget
	observer Observer
	guard    *guard.Guard
	// base is the same for the life of the socket, so that its session tickets
	// survive a change of listeners.
	base *tls.Config
}

func (all *Sockets) newSocket(addr netip.AddrPort, port *Port) *socket {
	s := &socket{observer: all.observer, guard: all.guard, open: all.count(addr)}
	s.base = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: s.forClient}
	s.port.Store(port)
	return s
}

// bind opens the socket, and takes connections from then on.
func (s *socket) bind(addr netip.AddrPort) error {
	var err error
	if s.listener, err = net.Listen("tcp", addr.String()); err != nil {
		return err
	}
	go s.accept()
	return nil
}

// accept runs until the socket is closed. Other errors, such as a lack of file
// descriptors, pass: it tells, waits for a moment and goes on.
func (s *socket) accept() {
	const most = time.Second
	wait := time.Duration(0)
	for {
		c, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.observer.AcceptFailed(s.port.Load().Number, err)
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
	if refused := takePlace(s.guard, s.open, port); refused != "" {
		s.observer.ConnRefused(port.Number, refused)
		raw.Close()
		return
	}
	s.observer.ConnOpened(port.Number)
	c := newConn(raw, func() {
		s.open.Give(1)
		s.guard.Clients.Give(1)
		s.observer.ConnClosed(port.Number)
	})
	c.about.Port, c.stall, c.least = port.Number, port.Stall, port.Least
	if port.TLS == nil && port.Proxy == nil {
		port.Serve(c)
		return
	}
	go s.introduce(c, port)
}

// takePlace takes a place for a connection, or says what there is none of. One more
// is closed at once, and not left to wait for a place: its client can go to
// another address, and the wait would look like a proxy that hangs.
func takePlace(g *guard.Guard, open *guard.Budget, port *Port) (refused string) {
	if !open.TakeOf(1, int64(port.MaxConnections)) {
		return "limit"
	}
	if !g.Clients.Take(1) {
		open.Give(1)
		return "descriptors"
	}
	return ""
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
		answerPlain(c, err)
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
