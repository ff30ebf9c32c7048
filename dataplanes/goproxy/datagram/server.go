package datagram

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/rawio"
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
	s := &Server{conn: conn, handler: handler, sessions: map[netip.AddrPort]*session{}}
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

// Drain takes no new clients, serves the others until their sessions have ended
// or the context has, and closes.
func (s *Server) Drain(ctx context.Context) {
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	s.Close()
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

// receive takes what clients send until the socket is closed. Other errors pass:
// it waits for a moment and goes on.
func (s *Server) receive() {
	buffer := rawio.Take(true)
	defer rawio.Give(buffer)
	for {
		n, client, err := s.conn.ReadFromUDPAddrPort(*buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			<-time.After(5 * time.Millisecond)
			continue
		}
		s.forward(client, (*buffer)[:n])
	}
}

// forward sends a datagram on. An endpoint that refused an earlier one costs the
// session, and this datagram goes to the next endpoint.
func (s *Server) forward(client netip.AddrPort, datagram []byte) {
	for range 2 {
		one := s.session(client)
		if one == nil {
			return
		}
		if one.send(datagram) == nil {
			return
		}
		one.end(Refused)
	}
	s.handler.Dropped("send")
}

// session returns a client's session, or a new one, or nil where it has none and
// cannot have one.
func (s *Server) session(client netip.AddrPort) *session {
	s.mu.Lock()
	one, n, draining := s.sessions[client], len(s.sessions), s.draining
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
	return s.open(client)
}

// open begins a session. It is called by receive alone, so that no other session
// of the client can come up meanwhile.
func (s *Server) open(client netip.AddrPort) *session {
	target, ok := s.handler.Open(client)
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
	one := &session{server: s, client: client, conn: conn, target: target}
	one.touch()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		conn.Close()
		target.Done(Result{End: Stopped})
		return nil
	}
	s.sessions[client] = one
	s.running.Go(one.run)
	return one
}

// session is one client and its endpoint.
type session struct {
	server *Server
	client netip.AddrPort
	// conn is connected to the endpoint.
	conn                *net.UDPConn
	target              Target
	active              atomic.Int64
	toBackend, toClient atomic.Int64
	ended               atomic.Pointer[End]
}
