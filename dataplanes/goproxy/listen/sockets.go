package listen

import (
	"net/netip"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/guard"
)

// Sockets are the bound addresses of one unit. Its methods are called by one
// goroutine at a time.
type Sockets struct {
	open     map[netip.AddrPort]*socket
	observer Observer
	guard    *guard.Guard
}

// NewSockets returns no sockets yet. Their connections are taken from the guard's
// clients.
func NewSockets(observer Observer, g *guard.Guard) *Sockets {
	return &Sockets{open: map[netip.AddrPort]*socket{}, observer: observer, guard: g}
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
		sock := s.newSocket(port)
		if err := sock.bind(addr); err != nil {
			failed[addr] = err
			continue
		}
		s.open[addr] = sock
	}
	return failed
}

// Close closes every socket. Open connections are not touched.
func (s *Sockets) Close() { s.Apply(nil) }
