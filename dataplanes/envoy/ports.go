package envoy

import (
	"errors"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/sluice-gateway/sluice/dataplanes/agent/ports"
	"github.com/sluice-gateway/sluice/dataplanes/agent/verdict"
	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/envoy"
)

// socketOf returns what a listener binds; false where it is no port.
func socketOf(r *translator.Resource) (ports.Socket, bool) {
	at := r.Message.(*listenerv3.Listener).GetAddress().GetSocketAddress()
	address, err := netip.ParseAddr(at.GetAddress())
	if err != nil || at.GetPortValue() < 1 || at.GetPortValue() > 65535 {
		return ports.Socket{}, false
	}
	udp := at.GetProtocol() == corev3.SocketAddress_UDP
	return ports.Socket{UDP: udp, At: netip.AddrPortFrom(address, uint16(at.GetPortValue()))}, true
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
			err = u.Ports.Claim(u, s)
		default:
			err = ports.ErrNoPort
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
	some := map[ports.Socket]bool{}
	for _, r := range listeners {
		if s, ok := socketOf(r); ok {
			some[s] = true
		}
	}
	u.Ports.Keep(u, some)
}

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
			all = append(all, ir.Problem{Origin: verdict.OriginOf(l), Message: u.bindMessage(l, s, err)})
		}
	}
	return all
}

func (u *unit) bindMessage(l *ir.Listener, s ports.Socket, err error) string {
	return ports.Lack{Listener: l, Socket: s, Offset: u.Assigned.PortOffset, Err: err}.Message()
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
