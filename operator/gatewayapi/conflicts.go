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

// conflicts marks the listeners that are not distinct. Of two objects, the
// listener of the one of higher precedence stays. Of two of one object neither
// is picked, unless one is out of the race already.
func (b *frameBuilder) conflicts() {
	byPort := map[int32][]*listener{}
	for _, group := range b.byOwner() {
		for _, l := range group {
			for _, earlier := range byPort[l.spec.Port] {
				b.yield(l, earlier)
			}
		}
		for i, l := range group {
			for _, other := range group[:i] {
				b.collide(l, other)
			}
		}
		for _, l := range group {
			// A ListenerSet's listener that is refused holds nothing. The Gateway's
			// do, if they could be served: no ListenerSet may step in.
			if l.accepted() || l.owner == b.key && servable(l) {
				byPort[l.spec.Port] = append(byPort[l.spec.Port], l)
			}
		}
	}
}

// byOwner groups the listeners by object, in order of precedence.
func (b *frameBuilder) byOwner() [][]*listener {
	var groups [][]*listener
	for i, l := range b.listeners {
		if i == 0 || b.listeners[i-1].owner != l.owner {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], l)
	}
	return groups
}

// yield refuses a listener that an object of higher precedence is in the way of.
func (b *frameBuilder) yield(l, earlier *listener) {
	if c := b.clash(earlier, l); c != nil {
		c.mark(l, earlier)
	}
}

// collide refuses two listeners of one object. What the dataplane cannot serve
// takes nothing from what it can, and what has yielded is out.
func (b *frameBuilder) collide(l, other *listener) {
	if l.spec.Port != other.spec.Port || !servable(l) || !servable(other) || l.lost || other.lost {
		return
	}
	if c := b.clash(other, l); c != nil {
		c.mark(l, other)
		c.mark(other, l)
	}
}

func (c *clash) mark(l, other *listener) {
	l.lost = l.lost || l.owner != other.owner
	l.found.add(c.code, l.field, "%s with listener %q of %v; change the port, the protocol or the hostname of one",
		c.why, other.key.Section, other.owner)
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
