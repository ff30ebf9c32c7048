package listen

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// quicSocket is the UDP side of one address.
type quicSocket struct {
	conn      *net.UDPConn
	transport *quic.Transport
	local     netip.AddrPort
	port      atomic.Pointer[Port]
	// open counts the connections of TCP too, handshakes those that are not yet
	// connections.
	open       *guard.Budget
	handshakes atomic.Int64
	guard      *guard.Guard
	observer   Observer
	// base is the same for the life of the socket, so that its session tickets
	// survive a change of listeners.
	base *tls.Config

	mu sync.Mutex
	// listener is nil while no new connections are taken; conns are those served.
	listener *quic.Listener
	conns    map[*quic.Conn]struct{}
	closed   bool
}

// quiet keeps quic-go from writing to standard error that the system grants
// smaller buffers than it asks for: a line among ours that no one expects, for
// what docs/troubleshooting.md tells.
var quiet = sync.OnceFunc(func() { _ = os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true") })

func bindQUIC(addr netip.AddrPort, port *Port, s *Sockets) (*quicSocket, error) {
	quiet()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	sock := &quicSocket{
		conn: conn, local: addr, open: s.count(addr), observer: s.observer, guard: s.guard,
		conns: map[*quic.Conn]struct{}{},
	}
	sock.base = forQUIC(&tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: sock.forClient})
	// The keys live as long as the socket: another process cannot know its
	// connections.
	var reset quic.StatelessResetKey
	_, _ = rand.Read(reset[:]) // It never fails (Go 1.24).
	sock.transport = &quic.Transport{
		Conn: conn, StatelessResetKey: &reset, ConnContext: sock.admit,
		VerifySourceAddress: func(net.Addr) bool { return sock.handshakes.Load() >= proveAddress },
	}
	if !sock.use(port) {
		conn.Close()
		return nil, errors.New("QUIC cannot be served at the address")
	}
	return sock, nil
}

// use takes connections as a port has it. It is false for a socket that is
// closed.
func (s *quicSocket) use(port *Port) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.port.Store(port)
	if s.listener != nil {
		return true
	}
	config := &quic.Config{GetConfigForClient: func(*quic.ClientInfo) (*quic.Config, error) { return s.config(), nil }}
	listener, err := s.transport.Listen(s.base, config)
	if err != nil {
		return false
	}
	s.listener = listener
	go s.accept(listener)
	return true
}

// config is what a new connection is held to.
func (s *quicSocket) config() *quic.Config {
	port := s.port.Load()
	config := port.QUIC.Config()
	// quic-go bounds the whole handshake by twice this.
	config.HandshakeIdleTimeout = port.HandshakeTimeout / 2
	return config
}

func (s *quicSocket) serves() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listener != nil
}

func (s *quicSocket) gone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// retire takes no new connections, and closes with the last of the others.
func (s *quicSocket) retire() {
	s.mu.Lock()
	listener := s.listener
	s.listener = nil
	s.mu.Unlock()
	if listener != nil {
		// It waits for the handshakes under way, which end with it.
		listener.Close()
	}
	s.closeIfDone()
}

// closeIfDone closes a socket that nobody needs any more.
func (s *quicSocket) closeIfDone() {
	s.mu.Lock()
	done := s.listener == nil && len(s.conns) == 0 && !s.closed
	s.closed = s.closed || done
	s.mu.Unlock()
	if done {
		s.close()
	}
}

func (s *quicSocket) close() {
	_ = s.transport.Close()
	_ = s.conn.Close()
}

// cut tells every client that the connection is at its end, and closes.
func (s *quicSocket) cut() {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	conns := make([]*quic.Conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	if was {
		return
	}
	for _, c := range conns {
		_ = c.CloseWithError(noError, "")
	}
	s.close()
}

// What connections are closed with (RFC 9114, section 8.1).
const (
	noError       = quic.ApplicationErrorCode(0x100)
	excessiveLoad = quic.ApplicationErrorCode(0x107)
)

const (
	// proveAddress is from how many handshakes on clients must first prove that
	// they are where they say (RFC 9000, section 8.1.2): until then a datagram from
	// anywhere makes one.
	proveAddress = 128
	// mostHandshakes is where further clients are refused.
	mostHandshakes = 4096
)

var (
	errTooMany = errors.New("there are too many connections")
	errMemory  = errors.New("memory is nearly used up")
	errProxy   = errors.New("a trusted proxy has no way to say whom it speaks for")
)

type aboutKey struct{}

// admit is asked for each new handshake. Its context ends with the connection,
// or with the handshake that failed.
func (s *quicSocket) admit(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	port := s.port.Load()
	about := &exchange.Conn{Client: rawconn.AddrPort(info.RemoteAddr), Local: s.local, Port: port.Number, TLS: true}
	switch {
	case port.MaxConnections > 0 && s.open.Taken() >= int64(port.MaxConnections), s.handshakes.Load() >= mostHandshakes:
		s.observer.ConnRefused(port.Number, "limit")
		return nil, errTooMany
	case s.guard.Pressed():
		// Each has buffers of ours, where one of TCP has the kernel's.
		s.observer.ConnRefused(port.Number, "memory")
		return nil, errMemory
	case s.guard.Clients.Most() > 0 && s.guard.Clients.Taken() >= s.guard.Clients.Most():
		s.observer.ConnRefused(port.Number, "descriptors")
		return nil, errTooMany
	case port.Proxy.trusts(about.Client.Addr()):
		s.observer.ConnRefused(port.Number, "proxy_header")
		return nil, errProxy
	}
	s.handshakes.Add(1)
	h := &handshake{Conn: about, socket: s}
	context.AfterFunc(ctx, func() { h.end("handshake") })
	return context.WithValue(ctx, aboutKey{}, h), nil
}

// handshake is a connection to be.
type handshake struct {
	*exchange.Conn
	socket *quicSocket
	once   sync.Once
}

// end is called once it has become a connection, or has failed for a reason.
func (h *handshake) end(reason string) {
	h.once.Do(func() {
		h.socket.handshakes.Add(-1)
		if reason != "" {
			h.socket.observer.ConnRefused(h.Port, reason)
		}
	})
}

// forClient meets a client's hello with the listeners of now. Names of listeners
// that pass TLS on, or that are served over TCP alone, are nobody's here.
func (s *quicSocket) forClient(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	h, ok := hello.Context().Value(aboutKey{}).(*handshake)
	port := s.port.Load()
	if !ok || port.TLS == nil {
		return nil, errors.New("the port has ceased to speak TLS")
	}
	nobody := forQUIC(&tls.Config{MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true})
	if port.Pass != nil && port.Pass(hello.ServerName) {
		return nobody, nil
	}
	l, found := port.TLS(hello.ServerName)
	if !found || l.QUIC == nil {
		return nobody, nil
	}
	h.ServerName, h.Validation = hello.ServerName, l.Validation
	return l.QUIC, nil
}

// accept runs until the listener is closed.
func (s *quicSocket) accept(listener *quic.Listener) {
	for {
		c, err := listener.Accept(context.Background())
		if err != nil {
			return
		}
		h, ok := c.Context().Value(aboutKey{}).(*handshake)
		if !ok || !s.keep(c, h) {
			_ = c.CloseWithError(excessiveLoad, "")
			continue
		}
		go s.serve(c, h)
	}
}

// keep counts a connection, unless there are too many. It takes a client's place
// of the process, though it has no descriptor: nothing else would bound what
// clients without a limit can have it hold.
func (s *quicSocket) keep(c *quic.Conn, h *handshake) bool {
	refused := takePlace(s.guard, s.open, s.port.Load())
	h.end(refused)
	if refused != "" {
		return false
	}
	s.observer.ConnOpened(h.Port)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
	return true
}

func (s *quicSocket) serve(c *quic.Conn, h *handshake) {
	s.port.Load().QUIC.Serve(c, h.Conn)
	s.open.Give(1)
	s.guard.Clients.Give(1)
	s.observer.ConnClosed(h.Port)
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.closeIfDone()
}
