package listen

import (
	"maps"
	"net/netip"

	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
)

// Sockets are the bound addresses of one unit. Its methods are called by one
// goroutine at a time.
type Sockets struct {
	open map[netip.AddrPort]*socket
	// quic are the sockets of UDP, those included that wait for the end of their
	// last connections.
	quic     map[netip.AddrPort]*quicSocket
	counts   map[netip.AddrPort]*guard.Budget
	observer Observer
	guard    *guard.Guard
}

// NewSockets returns no sockets yet. Their connections are taken from the guard's
// clients.
func NewSockets(observer Observer, g *guard.Guard) *Sockets {
	return &Sockets{
		open: map[netip.AddrPort]*socket{}, quic: map[netip.AddrPort]*quicSocket{},
		counts: map[netip.AddrPort]*guard.Budget{}, observer: observer, guard: g,
	}
}

// forget takes away the counts of addresses that nobody is connected to.
func (s *Sockets) forget() {
	maps.DeleteFunc(s.counts, func(addr netip.AddrPort, n *guard.Budget) bool {
		return s.open[addr] == nil && s.quic[addr] == nil && n.Taken() == 0
	})
}

// count returns how many connections an address has, of TCP and QUIC together.
func (s *Sockets) count(addr netip.AddrPort) *guard.Budget {
	if s.counts[addr] == nil {
		s.counts[addr] = &guard.Budget{}
	}
	return s.counts[addr]
}

// Apply binds, keeps and closes sockets until they are the wanted ones. It
// returns why an address could not be bound; the others are in force. A socket
// that stays drops no connection.
func (s *Sockets) Apply(want map[netip.AddrPort]*Port) map[netip.AddrPort]error {
	for addr, sock := range s.open {
		if want[addr] == nil {
			sock.listener.Close()
			delete(s.open, addr)
		}
	}
	failed := map[netip.AddrPort]error{}
	for addr, port := range want {
		if sock := s.open[addr]; sock != nil {
			sock.port.Store(port)
			continue
		}
		sock := s.newSocket(addr, port)
		if err := sock.bind(addr); err != nil {
			failed[addr] = err
			continue
		}
		s.open[addr] = sock
	}
	return failed
}

// ApplyQUIC is Apply for the UDP side of the ports that have QUIC. A socket that
// is not wanted takes no new connections, and closes with the last of those that
// it has.
func (s *Sockets) ApplyQUIC(want map[netip.AddrPort]*Port) map[netip.AddrPort]error {
	for addr, sock := range s.quic {
		if port := want[addr]; port == nil || port.QUIC == nil {
			sock.retire()
		}
	}
	failed := map[netip.AddrPort]error{}
	for addr, port := range want {
		if port.QUIC == nil {
			continue
		}
		if sock := s.quic[addr]; sock != nil && sock.use(port) {
			continue
		}
		sock, err := bindQUIC(addr, port, s)
		if err != nil {
			failed[addr] = err
			continue
		}
		s.quic[addr] = sock
	}
	maps.DeleteFunc(s.quic, func(_ netip.AddrPort, sock *quicSocket) bool { return sock.gone() })
	s.forget()
	return failed
}

// ServesQUIC reports whether an address takes connections of QUIC.
func (s *Sockets) ServesQUIC(addr netip.AddrPort) bool {
	sock := s.quic[addr]
	return sock != nil && sock.serves()
}

// CutQUIC closes the UDP side of an address with all its connections: somebody
// else is to have it now.
func (s *Sockets) CutQUIC(addr netip.AddrPort) {
	if sock := s.quic[addr]; sock != nil {
		sock.cut()
		delete(s.quic, addr)
	}
}

// Close closes every socket. Open connections are not touched, and those of QUIC
// keep theirs open until they have ended.
func (s *Sockets) Close() {
	s.Apply(nil)
	s.ApplyQUIC(nil)
}
