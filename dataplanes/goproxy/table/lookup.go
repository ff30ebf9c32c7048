package table

import (
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// Port is what one port serves.
type Port struct {
	tls       bool
	listeners hostnames[*Listener]
}

// Listener is one listener of a port.
type Listener struct {
	Config *ir.Listener
	hosts  hostnames[*host]
	// streams are the rules of a listener of TLS, TCP or UDP.
	streams hostnames[*Rule]
}

// Passes says whether the listener passes TLS on as it is. Nothing of such a
// connection may ever be answered here.
func (l *Listener) Passes() bool {
	return l.Config.Protocol == ir.TLS && l.Config.TLS != nil && l.Config.TLS.Mode == ir.Passthrough
}

// Stream returns the rule that takes a connection of this listener, and whether
// there is one; the SNI is empty for TCP and UDP. The rule is nil for a route
// without any.
func (l *Listener) Stream(sni string) (*Rule, bool) {
	return l.streams.first(serverName(sni))
}

// Outcome is what a look-up came to.
type Outcome int

// The outcomes of a look-up.
const (
	// Found means that the rule serves the request.
	Found Outcome = iota
	// NoRoute is answered with 404.
	NoRoute
	// Misdirected is answered with 421: the request's host belongs to another
	// listener than the connection's SNI (GEP-3567).
	Misdirected
)

// Hit is the result of a look-up.
type Hit struct {
	Outcome Outcome
	// Listener is nil where no listener covers the request's host or SNI.
	Listener *Listener
	// Rule is set where Found.
	Rule *Rule
	// Prefix is the path prefix that won; empty for another kind of match.
	Prefix string
}

// Listener returns the listener that a TLS handshake belongs to, or nil where it
// must be refused with unrecognized_name. The SNI may be in any case and have a
// trailing dot; it is empty where the client sent none, which only a listener
// without a hostname serves.
func (p *Port) Listener(sni string) *Listener {
	l, _ := p.listeners.first(serverName(sni))
	return l
}

// serverName brings an SNI into the form of the ir's hostnames. It allocates
// only where a client writes upper case. What is not ASCII is no host name and
// matches nothing: Unicode's lower case would let "\u212Aey.example" (a Kelvin
// sign) pass for "key.example".
func serverName(sni string) string {
	for i := 0; i < len(sni); i++ {
		if sni[i] >= 0x80 {
			return ""
		}
	}
	return strings.ToLower(strings.TrimSuffix(sni, "."))
}

// Lookup finds the rule for a request. The SNI is the connection's, and without
// meaning on a port that does not end TLS. The rules of no other listener than
// the one that the connection and the host belong to are looked at (listener
// isolation).
func (p *Port) Lookup(sni string, r *exchange.Request) Hit {
	listener, _ := p.listeners.first(r.Host)
	if p.tls {
		bySNI := p.Listener(sni)
		if listener != nil && bySNI != nil && listener != bySNI {
			return Hit{Outcome: Misdirected, Listener: bySNI}
		}
		if bySNI == nil || listener == nil {
			return Hit{Outcome: NoRoute, Listener: bySNI}
		}
	}
	if listener == nil {
		return Hit{Outcome: NoRoute}
	}
	return listener.lookup(r)
}

// lookup tries the hostnames that cover the request's host, the most specific
// first.
func (l *Listener) lookup(r *exchange.Request) Hit {
	for h, at, ok := l.hosts.next(r.Host, 0); ok; h, at, ok = l.hosts.next(r.Host, at) {
		if row := h.lookup(r); row != nil {
			return Hit{Outcome: Found, Listener: l, Rule: row.rule, Prefix: row.prefix}
		}
	}
	return Hit{Outcome: NoRoute, Listener: l}
}
