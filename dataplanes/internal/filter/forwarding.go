package filter

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// Forwarding tells backends who asked, and believes no more of what the request
// says about that than it may (ir.ClientIP).
type Forwarding struct {
	// TrustedHops is the number of proxies in front of this one.
	TrustedHops int
}

// RequestID is 16 random bytes, for a request that brings no identity that is
// believed.
type RequestID [16]byte

// claims are the fields that say who asked and how. A client that is not a
// trusted proxy may not set them.
type claims struct {
	hops                   []string
	proto, host, port, id  string
	forwarded, realAddress string
}

// Apply writes X-Forwarded-For, -Proto, -Host and -Port and X-Request-Id, and
// sets the request's Peer. Without trusted hops, all that the client said about
// itself is replaced, Forwarded and X-Real-Ip are dropped; with n of them, the
// last n entries of X-Forwarded-For stay, and the other fields are kept as the
// nearest proxy wrote them. Spellings with underscores, which some backends
// read as the same names, are always dropped. The request's traceparent is
// passed on as it came.
func (f Forwarding) Apply(r *exchange.Request, id RequestID) {
	c := takeClaims(r)
	address := r.Client.Addr().Unmap()
	if f.TrustedHops <= 0 {
		c = claims{}
	}
	believed := f.believed(c.hops)
	r.Peer = address
	if len(believed) > 0 && len(believed) == f.TrustedHops {
		if peer, ok := parseHop(believed[0]); ok {
			r.Peer = peer
		}
	}
	r.Header = append(r.Header,
		exchange.Field{Name: "X-Forwarded-For", Value: appendHop(r.Words, believed, address)},
		exchange.Field{Name: "X-Forwarded-Proto", Value: or(c.proto, r.Scheme)},
		exchange.Field{Name: "X-Forwarded-Host", Value: or(c.host, r.Authority)},
		exchange.Field{Name: "X-Forwarded-Port", Value: or(c.port, portText(r.Words, r.Port))},
	)
	keep(&r.Header, "Forwarded", c.forwarded)
	keep(&r.Header, "X-Real-Ip", c.realAddress)
	if !validID(c.id) {
		c.id = id.text(r.Words)
	}
	r.Header.Add("X-Request-Id", c.id)
}

// believed returns the last entries, one for each trusted hop.
func (f Forwarding) believed(hops []string) []string {
	return hops[max(0, len(hops)-max(0, f.TrustedHops)):]
}

func keep(h *exchange.Header, name, value string) {
	if value != "" {
		h.Add(name, value)
	}
}

func or(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// takeClaims takes the fields about the client off a request.
func takeClaims(r *exchange.Request) claims {
	var c claims
	kept := r.Header[:0]
	for _, field := range r.Header {
		if !c.take(field) {
			kept = append(kept, field)
		}
	}
	clear(r.Header[len(kept):])
	r.Header = kept
	return c
}

// take notes a field's claim, and reports whether it makes one. Of a name that
// comes twice the last value counts: the nearest proxy wrote it.
func (c *claims) take(field exchange.Field) bool {
	if field.Name == "" || strings.IndexByte("xXfF", field.Name[0]) < 0 {
		return false
	}
	switch name, value := field.Name, field.Value; {
	case same(name, "x-forwarded-for"):
		if !strings.Contains(name, "_") {
			c.hops = appendHops(c.hops, value)
		}
		return true
	case same(name, "x-forwarded-proto"):
		return claim(&c.proto, name, value)
	case same(name, "x-forwarded-host"):
		return claim(&c.host, name, value)
	case same(name, "x-forwarded-port"):
		return claim(&c.port, name, value)
	case same(name, "x-request-id"):
		return claim(&c.id, name, value)
	case same(name, "x-real-ip"):
		return claim(&c.realAddress, name, value)
	case same(name, "forwarded"):
		return claim(&c.forwarded, name, value)
	default:
		return false
	}
}

func claim(into *string, name, value string) bool {
	if !strings.Contains(name, "_") {
		*into = value
	}
	return true
}

// same compares a name with a lower case one, and takes "_" for "-", because
// CGI, WSGI and others do.
func same(name, want string) bool {
	if len(name) != len(want) {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c == '_':
			c = '-'
		}
		if c != want[i] {
			return false
		}
	}
	return true
}

func appendHops(hops []string, value string) []string {
	for entry := range strings.SplitSeq(value, ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			hops = append(hops, entry)
		}
	}
	return hops
}

func appendHop(words *exchange.Words, hops []string, address netip.Addr) string {
	if len(hops) == 0 {
		var text [64]byte
		return words.Keep(address.AppendTo(text[:0]))
	}
	return strings.Join(hops, ", ") + ", " + address.String()
}

// parseHop reads an entry of X-Forwarded-For, which may carry a port.
func parseHop(entry string) (netip.Addr, bool) {
	if address, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		return address.Unmap(), true
	}
	if address, err := netip.ParseAddrPort(entry); err == nil {
		return address.Addr().Unmap(), true
	}
	return netip.Addr{}, false
}

func portText(words *exchange.Words, port uint16) string {
	var text [8]byte
	return words.Keep(strconv.AppendUint(text[:0], uint64(port), 10))
}

// validID reports whether an identity from outside is fit for logs.
func validID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := 0; i < len(id); i++ {
		if id[i] <= ' ' || id[i] >= 0x7f {
			return false
		}
	}
	return true
}

// text writes the identity as a random UUID (RFC 9562, version 4).
func (id RequestID) text(words *exchange.Words) string {
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	var text [36]byte
	hex.Encode(text[:8], id[:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:], id[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return words.Keep(text[:])
}
