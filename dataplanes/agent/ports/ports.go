package ports

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"github.com/sluice-gateway/sluice/dataplanes/internal/unbound"
	"github.com/sluice-gateway/sluice/ir"
)

// Socket is what a listener binds.
type Socket struct {
	// UDP is true for datagrams.
	UDP bool
	At  netip.AddrPort
}

// Ports are the sockets that the units of this program have. The kernel does not
// tell when two want the same: a proxy's workers each bind a socket of their own, so
// that whoever has the same user can join them.
type Ports struct {
	mu sync.Mutex
	by map[Socket]any
}

// None returns ports that nobody has.
func None() *Ports { return &Ports{by: map[Socket]any{}} }

// Claim takes a socket for a unit, unless another unit or another program has it.
func (p *Ports) Claim(unit any, s Socket) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.by[s] {
	case unit:
		return nil
	case nil:
	default:
		return syscall.EADDRINUSE
	}
	if err := probe(s); err != nil {
		return err
	}
	p.by[s] = unit
	return nil
}

// Keep gives back what a unit has, but for some.
func (p *Ports) Keep(unit any, some map[Socket]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s, has := range p.by {
		if has == unit && !some[s] {
			delete(p.by, s)
		}
	}
}

// probe binds a socket for a moment, alone, which proxies do not.
func probe(s Socket) error {
	var config net.ListenConfig
	if s.UDP {
		conn, err := config.ListenPacket(context.Background(), "udp", s.At.String())
		if err == nil {
			conn.Close()
		}
		return err
	}
	ln, err := config.Listen(context.Background(), "tcp", s.At.String())
	if err == nil {
		ln.Close()
	}
	return err
}

// ErrNoPort is a port that an offset has made no port.
var ErrNoPort = errors.New("no port")

// Lack is a socket that a listener cannot have.
type Lack struct {
	Listener *ir.Listener
	Socket   Socket
	// Offset was added to the listener's port.
	Offset int
	Err    error
}

// Message says why, and what to do.
func (k Lack) Message() string {
	l, s, err := k.Listener, k.Socket, k.Err
	if s.UDP && l.Protocol != ir.UDP {
		return http3Message(l.Port, s, err)
	}
	port := unbound.Port{Number: l.Port, Offset: k.Offset, At: s.At}
	if errors.Is(err, ErrNoPort) {
		port.At = netip.AddrPort{}
	}
	return unbound.Message(port, err)
}

func http3Message(port uint16, s Socket, err error) string {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Sprintf("HTTP/3 is not served at port %d, as the UDP port of %s is taken: another program or another Gateway has it; "+
			"stop that program, or turn http3 off. HTTPS over TCP is served", port, s.At)
	}
	return fmt.Sprintf("HTTP/3 is not served at port %d: the UDP port of %s cannot be bound: %v. HTTPS over TCP is served", port, s.At, unbound.Cause(err))
}
