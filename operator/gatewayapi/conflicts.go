package gatewayapi

import (
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
)

// clash is why two listeners cannot be told apart.
type clash struct {
	code findings.Code
	why  string
}

// conflicts marks the listeners that are not distinct. Of two of one object,
// neither is picked; of two objects, the one of higher precedence stays.
func (b *frameBuilder) conflicts() {
	byPort := map[int32][]*listener{}
	for _, l := range b.listeners {
		for _, earlier := range byPort[l.spec.Port] {
			b.compare(earlier, l)
		}
		byPort[l.spec.Port] = append(byPort[l.spec.Port], l)
	}
}

func (b *frameBuilder) compare(earlier, later *listener) {
	c := b.clash(earlier, later)
	if c == nil {
		return
	}
	same := earlier.owner == later.owner
	// What the dataplane cannot serve takes nothing from what it can.
	if !servable(earlier) || same && !servable(later) {
		return
	}
	// A listener of another object that is out of the race for a conflict of its
	// own holds nothing. The Gateway's do: no ListenerSet may step in.
	if !same && earlier.owner != b.key && !earlier.accepted() {
		return
	}
	later.found.add(c.code, later.field, "%s with listener %q of %v; change the port, the protocol or the hostname of one",
		c.why, earlier.key.Section, earlier.owner)
	if same {
		earlier.found.add(c.code, earlier.field, "%s with listener %q of %v; change the port, the protocol or the hostname of one",
			c.why, later.key.Section, later.owner)
	}
}

func servable(l *listener) bool {
	for i := range l.found.found {
		switch l.found.found[i].Code {
		case findings.ProtocolUnsupported, findings.ListenerUnsupportedValue, findings.PortUnavailable:
			return false
		}
	}
	return true
}

// clash compares two listeners of one port. HTTPS and TLS share a port, as the
// SNI tells them apart; UDP shares one with all but UDP.
func (b *frameBuilder) clash(x, y *listener) *clash {
	udpX, udpY := x.protocol == ir.UDP, y.protocol == ir.UDP
	switch {
	case udpX != udpY:
		return nil
	case x.protocol != y.protocol && !(x.secure() && y.secure()):
		return &clash{findings.ProtocolConflict, "its protocol conflicts on this port"}
	case x.hostname == y.hostname:
		return &clash{findings.HostnameConflict, "its hostname conflicts on this port"}
	case x.mode != y.mode && x.protocol == ir.TLS && y.protocol == ir.TLS && !b.class.features.Has(feature.TLSRouteModeMixed):
		return &clash{findings.TLSModeConflict, "its TLS mode conflicts on this port"}
	}
	return nil
}

// overlaps marks the listeners of a port whose TLS overlaps: a client may reuse
// a connection of one for a host of the other (GEP-3567).
func (b *frameBuilder) overlaps() {
	byPort := map[int32][]*listener{}
	for _, l := range b.listeners {
		if l.made == nil || !l.secure() {
			continue
		}
		for _, other := range byPort[l.spec.Port] {
			overlap(l, other)
			overlap(other, l)
		}
		byPort[l.spec.Port] = append(byPort[l.spec.Port], l)
	}
}

func overlap(l, other *listener) {
	if _, shared := intersect(l.hostname, other.hostname); shared {
		l.found.add(findings.OverlappingHostnames, l.field+".hostname",
			"it overlaps with listener %q, so clients may reuse a connection of one for the other", other.key.Section)
	}
	for _, name := range l.names {
		if coversAny(name, other.names) {
			l.found.add(findings.OverlappingCertificates, l.field+".tls.certificateRefs",
				"a certificate for %s overlaps with one of listener %q, so clients may reuse a connection of one for the other",
				name, other.key.Section)
			return
		}
	}
}

func coversAny(name string, others []string) bool {
	for _, other := range others {
		if _, shared := intersect(name, other); shared {
			return true
		}
	}
	return false
}
