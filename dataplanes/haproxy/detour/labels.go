package detour

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// labels are the fields that HAProxy and its agent say to each other.
type labels exchange.Header

// peel takes them off a message.
func peel(h *exchange.Header) labels {
	var peeled labels
	kept := (*h)[:0]
	for _, f := range *h {
		if isLabel(f.Name) {
			peeled = append(peeled, f)
		} else {
			kept = append(kept, f)
		}
	}
	*h = kept
	return peeled
}

func isLabel(name string) bool {
	const prefix = translator.DetourPrefix
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}

// get returns the value of a label; empty where it is not there.
func (l labels) get(name string) string {
	value, _ := exchange.Header(l).Get(name)
	return value
}

// client is the client's end of its connection.
func (l labels) client() netip.AddrPort {
	text := l.get(translator.DetourClient)
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return netip.AddrPort{}
	}
	addr, err := netip.ParseAddr(text[:i])
	port, errPort := strconv.ParseUint(text[i+1:], 10, 16)
	if err != nil || errPort != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port))
}

// peer is the client as far as trusted hops tell.
func (l labels) peer() netip.Addr {
	addr, err := netip.ParseAddr(l.get(translator.DetourPeer))
	if err != nil {
		return l.client().Addr()
	}
	return addr.Unmap()
}

// rule is the tag of the rule that the request has won.
func (l labels) rule() string {
	_, rest, _ := strings.Cut(l.get(translator.DetourTo), "|")
	rule, _, _ := strings.Cut(rest, "|")
	return rule
}

// section is the one that has sent the request, and prefix what the rule's prefix
// match matched of its path; empty where it was no prefix match.
func (l labels) section(path string) (name, prefix string) {
	name, rest, _ := strings.Cut(l.get(translator.DetourTo), "|")
	length := rest[strings.LastIndexByte(rest, '|')+1:]
	n, err := strconv.Atoi(length)
	switch {
	case err != nil || n < 0 || n > len(path):
		return name, ""
	case n == 0:
		return name, "/"
	default:
		return name, path[:n]
	}
}
