package envoy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/sluice-gateway/sluice/dataplanes/internal/unbound"
	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/envoy"
)

// socket is what a listener binds.
type socket struct {
	udp bool
	at  netip.AddrPort
}

// ports are the sockets that the units of this program have. The kernel does not
// tell when two want the same: Envoy's workers each bind a socket of their own, so
// that whoever has the same user can join them.
type ports struct {
	mu sync.Mutex
	by map[socket]*unit
}

func newPorts() *ports { return &ports{by: map[socket]*unit{}} }

// claim takes a socket for a unit, unless another unit or another program has it.
func (p *ports) claim(u *unit, s socket) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.by[s] {
	case u:
		return nil
	case nil:
	default:
		return syscall.EADDRINUSE
	}
	if err := probe(s); err != nil {
		return err
	}
	p.by[s] = u
	return nil
}

// keep gives back what a unit has, but for some.
func (p *ports) keep(u *unit, some map[socket]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s, has := range p.by {
		if has == u && !some[s] {
			delete(p.by, s)
		}
	}
}

// probe binds a socket for a moment, alone, which Envoy does not.
func probe(s socket) error {
	var config net.ListenConfig
	if s.udp {
		conn, err := config.ListenPacket(context.Background(), "udp", s.at.String())
		if err == nil {
			conn.Close()
		}
		return err
	}
	ln, err := config.Listen(context.Background(), "tcp", s.at.String())
	if err == nil {
		ln.Close()
	}
	return err
}

// socketOf returns what a listener binds; false where it is no port.
func socketOf(r *translator.Resource) (socket, bool) {
	at := r.Message.(*listenerv3.Listener).GetAddress().GetSocketAddress()
	address, err := netip.ParseAddr(at.GetAddress())
	if err != nil || at.GetPortValue() < 1 || at.GetPortValue() > 65535 {
		return socket{}, false
	}
	udp := at.GetProtocol() == corev3.SocketAddress_UDP
	return socket{udp, netip.AddrPortFrom(address, uint16(at.GetPortValue()))}, true
}

// claim divides listeners into those that can have their sockets and those that
// cannot.
func (u *unit) claim(config *translator.Config) (can []*translator.Resource) {
	u.unbound = map[string]error{}
	for _, r := range config.Listeners {
		if r.Message.(*listenerv3.Listener).GetInternalListener() != nil {
			can = append(can, r)
			continue
		}
		s, ok := socketOf(r)
		err := u.lost[r.Name]
		switch {
		case err != nil:
		case ok:
			err = u.local.ports.claim(u, s)
		default:
			err = errNoPort
		}
		if err != nil {
			u.unbound[r.Name] = err
			continue
		}
		can = append(can, r)
	}
	return can
}

// yield gives back the sockets of listeners that have gone.
func (u *unit) yield(listeners []*translator.Resource) {
	some := map[socket]bool{}
	for _, r := range listeners {
		if s, ok := socketOf(r); ok {
			some[s] = true
		}
	}
	u.local.ports.keep(u, some)
}

var errNoPort = errors.New("no port")

// boundElsewhere returns what a message of Envoy's says of a socket that could not
// be bound; nil where it is about something else.
func boundElsewhere(message string) error {
	switch {
	case !strings.Contains(message, "cannot bind '"):
		return nil
	case strings.Contains(message, "Address already in use"):
		return syscall.EADDRINUSE
	case strings.Contains(message, "Permission denied"):
		return os.ErrPermission
	default:
		return errors.New(message[strings.LastIndex(message, ": ")+2:])
	}
}

// loses takes note that Envoy could not bind a listener, and reports whether that
// is what its message says.
func (u *unit) loses(name, message string) bool {
	err := boundElsewhere(message)
	if err != nil {
		u.lost[name] = err
	}
	return err != nil
}

// bindProblems say which listeners could not be bound, and why.
func (u *unit) bindProblems(unit *ir.Unit, config *translator.Config) []ir.Problem {
	var all []ir.Problem
	for _, r := range config.Listeners {
		err := u.unbound[r.Name]
		if err == nil {
			continue
		}
		s, _ := socketOf(r)
		for _, l := range listenersAt(unit, r.Name) {
			all = append(all, ir.Problem{Origin: originOf(l), Message: u.bindMessage(l, s, err)})
		}
	}
	return all
}

func (u *unit) bindMessage(l *ir.Listener, s socket, err error) string {
	if s.udp && l.Protocol != ir.UDP {
		return http3Message(l.Port, s, err)
	}
	port := unbound.Port{Number: l.Port, Offset: u.assigned.PortOffset, At: s.at}
	if errors.Is(err, errNoPort) {
		port.At = netip.AddrPort{}
	}
	return unbound.Message(port, err)
}

func http3Message(port uint16, s socket, err error) string {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Sprintf("HTTP/3 is not served at port %d, as the UDP port of %s is taken: another program or another Gateway has it; "+
			"stop that program, or turn http3 off. HTTPS over TCP is served", port, s.at)
	}
	return fmt.Sprintf("HTTP/3 is not served at port %d: the UDP port of %s cannot be bound: %v. HTTPS over TCP is served", port, s.at, unbound.Cause(err))
}

// listenersAt returns those of a listener resource, "tcp/443".
func listenersAt(unit *ir.Unit, name string) []*ir.Listener {
	kind, number, _ := strings.Cut(name, "/")
	number, _, _ = strings.Cut(number, "/")
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return nil
	}
	var all []*ir.Listener
	for _, l := range unit.Proxy.Listeners {
		quic := kind == "udp" && l.Protocol == ir.HTTPS && unit.Proxy.Settings.HTTP3.Enabled
		if l.Port == uint16(port) && ((kind == "udp") == (l.Protocol == ir.UDP) || quic) {
			all = append(all, l)
		}
	}
	return all
}

func originOf(l *ir.Listener) ir.Origin {
	return ir.Origin{Object: l.Key.Owner, Section: l.Key.Section}
}
