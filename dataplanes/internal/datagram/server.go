package datagram

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/rawio"
)

// Handler decides where datagrams go. Its methods must not block.
type Handler interface {
	// Open returns where a new client's datagrams go; false drops them.
	Open(client netip.AddrPort) (Target, bool)
	// Limit is how many sessions there may be; 0 is no bound.
	Limit() int
	// Dropped is told a reason from a fixed list: "limit", "draining", "send".
	Dropped(reason string)
}

// Target is where a client's datagrams go.
type Target struct {
	Endpoint netip.AddrPort
	// Idle ends the session when nothing has come from either side for so long.
	Idle time.Duration
	// Keep says whether the session may go on, when Recheck asks.
	Keep func() bool
	// Done is called once, when the session has ended.
	Done func(Result)
}

// End says why a session ended. Ends are few and fixed.
type End string

// The ends of a session.
const (
	// Idle is the ordinary end.
	Idle End = ""
	// Refused means that the endpoint has no such port.
	Refused End = "backend_reset"
	// Moved means that the route no longer leads to the endpoint.
	Moved End = "endpoint_gone"
	// Stopped means that the socket was closed.
	Stopped End = "stopped"
)

// Result is what a session came to.
type Result struct {
	// ToBackend and ToClient are bytes.
	ToBackend, ToClient int64
	End                 End
}

// readBuffer is what the system is asked to hold while the proxy is busy.
const readBuffer = 1 << 20

// defaultIdle is for targets that name no bound: a session has no other end.
const defaultIdle = time.Minute

// Server is one bound address.
type Server struct {
	conn    *net.UDPConn
	handler Handler
	// sources is true where the socket tells which of its addresses a datagram
	// was sent to.
	sources bool

	mu       sync.Mutex
	sessions map[netip.AddrPort]*session
	draining bool
	running  sync.WaitGroup
}

// Listen binds an address and serves it until Close or Drain.
func Listen(addr netip.AddrPort, handler Handler) (*Server, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	// What the system does not grant, it does not grant.
	_ = conn.SetReadBuffer(readBuffer)
	s := &Server{conn: conn, handler: handler, sources: askSources(conn), sessions: map[netip.AddrPort]*session{}}
	go s.receive()
	return s, nil
}

// Sessions is how many there are.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// Recheck ends the sessions that may not go on.
func (s *Server) Recheck() {
	for _, one := range s.all() {
		if !one.target.Keep() {
			one.end(Moved)
		}
	}
}

// Drain takes no new clients, serves the others until their sessions have ended,
// or been silent for a second, or the context has ended, and closes.
func (s *Server) Drain(ctx context.Context) {
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	look := time.NewTicker(quiet / 10)
	defer look.Stop()
	for {
		select {
		case <-ended:
		case <-ctx.Done():
		case <-look.C:
			s.endQuiet()
			continue
		}
		s.Close()
		return
	}
}

// quiet is how long a session may be silent while the server drains: nothing else
// would tell that its client is done.
const quiet = time.Second

func (s *Server) endQuiet() {
	for _, one := range s.all() {
		if time.Since(time.Unix(0, one.active.Load())) >= quiet {
			one.end(Stopped)
		}
	}
}

// Close closes the socket, ends every session and waits for that.
func (s *Server) Close() {
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	s.conn.Close()
	for _, one := range s.all() {
		one.end(Stopped)
	}
	s.running.Wait()
}

func (s *Server) all() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*session, 0, len(s.sessions))
	for _, one := range s.sessions {
		all = append(all, one)
	}
	return all
}

// arrival is one datagram of a client.
type arrival struct {
	client   netip.AddrPort
	datagram []byte
	// said is what the system said of it; empty where it was not asked.
	said []byte
}

// receive takes what clients send until the socket is closed. Other errors pass:
// it waits for a moment and goes on.
func (s *Server) receive() {
	buffer := rawio.Take(true)
	defer rawio.Give(buffer)
	said := make([]byte, maxSource)
	for {
		a, err := s.read(*buffer, said)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			<-time.After(5 * time.Millisecond)
			continue
		}
		s.forward(a)
	}
}

func (s *Server) read(buffer, said []byte) (arrival, error) {
	if !s.sources {
		n, client, err := s.conn.ReadFromUDPAddrPort(buffer)
		return arrival{client: client, datagram: buffer[:max(n, 0)]}, err
	}
	n, m, _, client, err := s.conn.ReadMsgUDPAddrPort(buffer, said)
	if err != nil {
		return arrival{}, err
	}
	return arrival{client: client, datagram: buffer[:n], said: said[:m]}, nil
}

// forward sends a datagram on. An endpoint that refused an earlier one costs the
// session, and this datagram goes to the next endpoint.
func (s *Server) forward(a arrival) {
	for range 2 {
		one := s.session(a)
		if one == nil {
			return
		}
		if one.send(a.datagram) == nil {
			return
		}
		one.end(Refused)
	}
	s.handler.Dropped("send")
}

// session returns a client's session, or a new one, or nil where it has none and
// cannot have one.
func (s *Server) session(a arrival) *session {
	s.mu.Lock()
	one, n, draining := s.sessions[a.client], len(s.sessions), s.draining
	s.mu.Unlock()
	limit := s.handler.Limit()
	switch {
	case one != nil:
		return one
	case draining:
		s.handler.Dropped("draining")
		return nil
	case limit > 0 && n >= limit:
		s.handler.Dropped("limit")
		return nil
	}
	return s.open(a)
}

// open begins a session. It is called by receive alone, so that no other session
// of the client can come up meanwhile.
func (s *Server) open(a arrival) *session {
	target, ok := s.handler.Open(a.client)
	if !ok {
		return nil
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(target.Endpoint))
	if err != nil {
		s.handler.Dropped("send")
		target.Done(Result{End: Refused})
		return nil
	}
	if target.Idle <= 0 {
		target.Idle = defaultIdle
	}
	one := &session{server: s, client: a.client, conn: conn, target: target, from: replyFrom(a.said)}
	one.touch()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		conn.Close()
		target.Done(Result{End: Stopped})
		return nil
	}
	s.sessions[a.client] = one
	s.running.Go(one.run)
	return one
}

// session is one client and its endpoint.
type session struct {
	server *Server
	client netip.AddrPort
	// from sends replies from the address that the client wrote to; empty where the
	// socket has but one.
	from []byte
	// conn is connected to the endpoint.
	conn                *net.UDPConn
	target              Target
	active              atomic.Int64
	toBackend, toClient atomic.Int64
	ended               atomic.Pointer[End]
}
