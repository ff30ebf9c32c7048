package gatewayapi

import (
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/findings"
)

// closeListeners keeps the hostname of a listener that cannot be served, where a
// wider one would take its traffic: requests that were to be met by a listener of
// their own must not be served by another's routes, under another's certificate.
func (b *frameBuilder) closeListeners() {
	for _, l := range b.listeners {
		if l.made == nil && l.holdsHost() && slices.ContainsFunc(b.listeners, l.wouldFallTo) && !b.named(l) {
			l.closed = &ir.Listener{Key: l.key, Port: uint16(l.spec.Port), Protocol: l.protocol, Hostname: l.hostname, Refused: l.refusal()}
		}
	}
}

// holdsHost reports whether a hostname is a listener's own. One that conflicts
// has none: it is the other's, or nobody's.
func (l *listener) holdsHost() bool {
	if l.protocol != ir.HTTP && !l.secure() || l.hostname != anyHost && !validHostname(l.hostname) {
		return false
	}
	return !slices.ContainsFunc(l.found.found, func(f findings.Finding) bool {
		return f.Code == findings.HostnameConflict || f.Code == findings.ProtocolConflict || f.Code == findings.TLSModeConflict
	})
}

// wouldFallTo reports whether a listener that is served would get the traffic.
func (l *listener) wouldFallTo(other *listener) bool {
	return other.made != nil && other.spec.Port == l.spec.Port && other.secure() == l.secure() &&
		other.hostname != l.hostname && covers(other.hostname, l.hostname)
}

// named reports whether an earlier listener has the same name: the second is
// then nobody's.
func (b *frameBuilder) named(l *listener) bool {
	return slices.ContainsFunc(b.listeners[:l.place], func(other *listener) bool { return other.key == l.key })
}

// refusal is why a listener cannot be served, for whoever asks about a request.
func (l *listener) refusal() string {
	for i := range l.found.found {
		if f := l.found.found[i : i+1]; findings.Turns(f, "Accepted", "False") || findings.Turns(f, "Programmed", "False") {
			return f[0].Message
		}
	}
	return "the listener is not valid"
}
