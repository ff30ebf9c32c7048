package haproxy

import (
	"errors"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/sluice-gateway/sluice/dataplanes/agent/ports"
	"github.com/sluice-gateway/sluice/dataplanes/agent/verdict"
	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// bound is a socket that a port of the listeners' has.
type bound struct {
	port   uint16
	socket ports.Socket
}

// socketOf returns what a line of a section binds; false where it is no port: a
// socket of the folder, or another directive.
func socketOf(line string) (ports.Socket, bool) {
	words := strings.Fields(line)
	if len(words) < 2 || words[0] != "bind" {
		return ports.Socket{}, false
	}
	family, address, found := strings.Cut(words[1], "@")
	if !found {
		family, address = "", family
	}
	at, err := netip.ParseAddrPort(address)
	return ports.Socket{UDP: strings.HasPrefix(family, "quic"), At: at}, err == nil
}

// portOf returns the port of the listeners that a section is for: "tcp_443".
func portOf(s *translator.Section) (uint16, bool) {
	rest, found := strings.CutPrefix(s.Name, "tcp_")
	number, _, _ := strings.Cut(rest, "_")
	port, err := strconv.ParseUint(number, 10, 16)
	return uint16(port), found && s.Kind == "frontend" && err == nil
}

// claim returns sections without the lines of sockets that cannot be had, and notes
// those: HAProxy takes all or nothing. A frontend that has none left is no more.
func (u *unit) claim(sections []*translator.Section) []*translator.Section {
	u.unbound = map[bound]error{}
	all := slices.Clone(sections)
	for i, s := range all {
		port, ok := portOf(s)
		if !ok {
			continue
		}
		lines := slices.DeleteFunc(slices.Clone(s.Lines), func(line string) bool {
			socket, is := socketOf(line)
			return is && !u.has(bound{port, socket})
		})
		if len(lines) < len(s.Lines) {
			next := *s
			next.Lines = lines
			all[i] = &next
		}
	}
	return slices.DeleteFunc(all, func(s *translator.Section) bool {
		_, ok := portOf(s)
		return ok && !slices.ContainsFunc(s.Lines, func(line string) bool { return strings.HasPrefix(line, "bind ") })
	})
}

// has claims a socket, and reports whether the unit has it.
func (u *unit) has(b bound) bool {
	err := u.lost[b.socket]
	if int(b.port)+u.Assigned.PortOffset != int(b.socket.At.Port()) || b.socket.At.Port() == 0 {
		err = ports.ErrNoPort
	}
	if err == nil {
		err = u.Ports.Claim(u, b.socket)
	}
	if err != nil {
		u.unbound[b] = err
	}
	return err == nil
}

// yield gives back the sockets that no section binds any more.
func (u *unit) yield(sections []*translator.Section) {
	some := map[ports.Socket]bool{}
	for _, s := range sections {
		if _, ok := portOf(s); !ok {
			continue
		}
		for _, line := range s.Lines {
			if socket, ok := socketOf(line); ok {
				some[socket] = true
			}
		}
	}
	u.Ports.Keep(u, some)
}

// unboundWords are HAProxy's of a socket that somebody has taken since it was tried:
// "cannot bind socket (Address already in use) for [127.0.0.1:80]".
var unboundWords = regexp.MustCompile(`cannot bind (\S+ )?socket \(([^)]*)\) for \[(?:\w+@)?(\S+:\d+)\]`)

// loses takes note of sockets that HAProxy could not bind, and reports whether that is
// what it says.
func (u *unit) loses(said string) bool {
	news := false
	for _, found := range unboundWords.FindAllStringSubmatch(said, -1) {
		at, err := netip.ParseAddrPort(found[3])
		if err != nil {
			continue
		}
		socket := ports.Socket{UDP: strings.HasPrefix(found[1], "receiving") || strings.HasPrefix(found[1], "UDP"), At: at}
		if u.lost[socket] == nil {
			u.lost[socket], news = bindError(found[2]), true
		}
	}
	return news
}

func bindError(words string) error {
	switch words {
	case "Address already in use":
		return syscall.EADDRINUSE
	case "Permission denied":
		return os.ErrPermission
	default:
		return errors.New(words)
	}
}

// bindProblems say which listeners could not be bound, and why.
func (u *unit) bindProblems(unit *ir.Unit) []ir.Problem {
	var all []ir.Problem
	for _, l := range unit.Proxy.Listeners {
		for b, err := range u.unbound {
			if b.port == l.Port && l.Protocol != ir.UDP && (!b.socket.UDP || l.Protocol == ir.HTTPS) {
				all = append(all, ir.Problem{Origin: verdict.OriginOf(l), Message: ports.Lack{
					Listener: l, Socket: b.socket, Offset: u.Assigned.PortOffset, Err: err,
				}.Message()})
			}
		}
	}
	return all
}

// listenersAt returns those of a port that HAProxy binds.
func listenersAt(unit *ir.Unit, port uint16) []*ir.Listener {
	var all []*ir.Listener
	for _, l := range unit.Proxy.Listeners {
		if l.Port == port && l.Protocol != ir.UDP {
			all = append(all, l)
		}
	}
	return all
}
