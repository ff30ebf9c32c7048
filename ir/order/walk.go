package order

import (
	"iter"

	"github.com/sluice-gateway/sluice/ir"
)

// Candidate is one match that a request was compared with.
type Candidate struct {
	Hostname string
	Entry    Entry
	Matched  bool
	// Why says which condition failed; empty where Matched.
	Why string
}

// Walk yields the matches of a listener that could serve a request, in the
// order in which they are tried, with the verdict on each: those under the most
// specific hostname first, then those under the less specific ones. The first
// that matched serves the request; the walk goes on after it, for those who ask
// what else would have.
func Walk(listener *Listener, r Request) iter.Seq[Candidate] {
	return func(yield func(Candidate) bool) {
		for _, host := range listener.Hosts {
			if !MatchHostname(host.Hostname, r.Host) {
				continue
			}
			for _, entry := range host.Entries {
				matched, why := Evaluate(entry.Match(), r)
				if !yield(Candidate{Hostname: host.Hostname, Entry: entry, Matched: matched, Why: why}) {
					return
				}
			}
		}
	}
}

// Winner returns the first match of a listener that serves a request, and
// whether there is one.
func Winner(listener *Listener, r Request) (Candidate, bool) {
	for c := range Walk(listener, r) {
		if c.Matched {
			return c, true
		}
	}
	return Candidate{}, false
}

// Verdict says what becomes of a request at a port.
type Verdict int

// The verdicts of Choose.
const (
	// Served means that the listener's routes decide.
	Served Verdict = iota
	// NoListener means 404, or for TLS without any match of the SNI a refused
	// handshake.
	NoListener
	// Misdirected means 421 (RFC 9110, section 15.5.20; GEP-3567): the client
	// reuses a connection that was made for another listener's hostname.
	Misdirected
	// Refused means 500, or for TLS a refused handshake: the listener keeps its
	// hostname and serves nothing.
	Refused
)

// Choose returns the listener of a port that a request belongs to. For HTTPS
// the connection's SNI decides, and the request's host must then belong to the
// same listener; for HTTP the host decides alone.
func Choose(listeners []*ir.Listener, sni, host string) (*ir.Listener, Verdict) {
	byHost := Select(listeners, host)
	if len(listeners) == 0 || listeners[0].Protocol == ir.HTTP {
		switch {
		case byHost == nil:
			return nil, NoListener
		case byHost.Refused != "":
			return byHost, Refused
		}
		return byHost, Served
	}
	bySNI := Select(listeners, sni)
	switch {
	case bySNI == nil:
		return nil, NoListener
	case byHost == nil:
		return bySNI, NoListener
	case byHost != bySNI:
		return bySNI, Misdirected
	case bySNI.Refused != "":
		return bySNI, Refused
	default:
		return bySNI, Served
	}
}
