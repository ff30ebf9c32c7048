package upstream

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// keyOf is the key of a request, as the backend would get it; 0 where it has none
// or none is asked for.
func (p *Pool) keyOf(q *exchange.Request) uint64 {
	balancing := &p.roster.Load().policy.balancing
	if balancing.Algorithm != ir.ConsistentHash {
		return 0
	}
	switch balancing.Hash.Kind {
	case ir.HashHeader:
		if balancing.Hash.Name == "host" {
			return textKey(q.Authority)
		}
		value, _ := q.Header.Joined(balancing.Hash.Name)
		return textKey(value)
	case ir.HashCookie:
		return textKey(cookie(q.Header, balancing.Hash.Name))
	}
	return addressKey(q.Peer)
}

// addressKey is the key of a client's address. IPv4 is the same however it is
// written.
func addressKey(addr netip.Addr) uint64 {
	if !addr.IsValid() {
		return 0
	}
	ip := addr.As16()
	return never0(mix(mix(binary.BigEndian.Uint64(ip[:8])) ^ binary.BigEndian.Uint64(ip[8:])))
}

// textKey is the key of a text (FNV-1a); 0 for an empty one.
func textKey(text string) uint64 {
	if text == "" {
		return 0
	}
	h := uint64(0xcbf29ce484222325)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 0x100000001b3
	}
	return never0(mix(h))
}

func never0(key uint64) uint64 { return max(key, 1) }

// cookie returns the value of the first cookie of a name; empty for none.
func cookie(h exchange.Header, name string) string {
	for i := range h {
		if !strings.EqualFold(h[i].Name, "Cookie") {
			continue
		}
		for rest := h[i].Value; rest != ""; {
			var pair string
			pair, rest, _ = strings.Cut(rest, ";")
			if key, value, _ := strings.Cut(strings.TrimSpace(pair), "="); key == name {
				return value
			}
		}
	}
	return ""
}
