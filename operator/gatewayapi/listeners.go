package gatewayapi

import (
	"maps"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// listener is one listener of a Gateway or of a ListenerSet.
type listener struct {
	key   ir.ListenerKey
	owner resources.Key
	// place is the listener's index in the unit.
	place int
	// field is the listener's path in its object.
	field    string
	spec     gatewayv1.Listener
	protocol ir.Protocol
	hostname string
	mode     ir.TLSMode
	// kinds are the routes that it takes; allowed says from where.
	kinds   []ir.RouteKind
	allowed namespaces
	found   notes
	// lost is set where a listener of another object is in the way.
	lost bool
	// names are the DNS names of its certificates.
	names []string
	// made is nil where the listener cannot be served; closed is then what keeps
	// its hostname from a wider one, if there is such a listener.
	made, closed *ir.Listener
}

func (l *listener) accepted() bool {
	return !findings.Turns(l.found.found, "Accepted", "False")
}

func (l *listener) resolved() bool {
	return !findings.Turns(l.found.found, "ResolvedRefs", "False")
}

func (l *listener) programmed() bool {
	return !findings.Turns(l.found.found, "Programmed", "False")
}

func (l *listener) secure() bool { return l.protocol == ir.HTTPS || l.protocol == ir.TLS }

// collectListeners reads the Gateway's listeners, then those of its
// ListenerSets, each with what can be said of it alone.
func (b *frameBuilder) collectListeners() {
	for i := range b.gateway.Spec.Listeners {
		b.addListener(b.key, b.gateway.Spec.Listeners[i], i)
	}
	b.collectSets()
}

func (b *frameBuilder) addListener(owner resources.Key, spec gatewayv1.Listener, i int) *listener {
	l := &listener{
		key:      ir.ListenerKey{Owner: objectOf(owner), Section: string(spec.Name)},
		owner:    owner,
		place:    len(b.listeners),
		field:    item("spec.listeners", i),
		spec:     spec,
		protocol: ir.Protocol(spec.Protocol),
		hostname: listenerHostname(spec.Hostname),
		mode:     ir.Terminate,
	}
	if spec.TLS != nil && spec.TLS.Mode != nil {
		l.mode = ir.TLSMode(*spec.TLS.Mode)
	}
	if l.protocol == ir.TCP || l.protocol == ir.UDP {
		l.hostname = anyHost
	}
	for _, check := range listenerChecks {
		check(b, l)
	}
	b.listeners = append(b.listeners, l)
	return l
}

// listenerChecks look at one listener by itself.
var listenerChecks = []func(*frameBuilder, *listener){
	(*frameBuilder).checkName,
	(*frameBuilder).checkProtocol,
	(*frameBuilder).checkPort,
	(*frameBuilder).checkHostname,
	(*frameBuilder).checkTLSFields,
	(*frameBuilder).checkKinds,
	(*frameBuilder).checkNamespaces,
}

// checkName refuses a name that an earlier listener of the object has: nothing
// could refer to it.
func (b *frameBuilder) checkName(l *listener) {
	for _, other := range b.listeners {
		if other.key == l.key {
			l.found.add(findings.ListenerUnsupportedValue, l.field+".name",
				"another listener of this object is called %q; give it a name of its own", l.key.Section)
			return
		}
	}
}

func (b *frameBuilder) checkProtocol(l *listener) {
	kinds := feature.OfProtocol(l.protocol)
	if kinds == nil {
		l.found.add(findings.ProtocolUnsupported, l.field+".protocol",
			"%q is no protocol that Sluice knows; use HTTP, HTTPS, TLS, TCP or UDP", l.spec.Protocol)
		return
	}
	for _, kind := range kinds {
		if b.class.features.Has(feature.OfKind(kind)) {
			return
		}
	}
	l.found.add(findings.ProtocolUnsupported, l.field+".protocol",
		"%s is not supported by the dataplane of %s; use a GatewayClass whose dataplane serves it", l.protocol, b.class.controller)
}

func (b *frameBuilder) checkPort(l *listener) {
	switch p := l.spec.Port; {
	case p < 1 || p > 65535:
		l.found.add(findings.PortUnavailable, l.field+".port", "%d is no port; use 1 to 65535", p)
	case b.opts.ReservedPorts[uint16(p)] != "":
		l.found.add(findings.PortUnavailable, l.field+".port", "%d is taken: %s; use another port", p, b.opts.ReservedPorts[uint16(p)])
	}
}

func (b *frameBuilder) checkHostname(l *listener) {
	if l.hostname != anyHost && !validHostname(l.hostname) {
		l.found.add(findings.ListenerUnsupportedValue, l.field+".hostname",
			"%q is no hostname; use a DNS name, with *. before it for a wildcard", l.hostname)
	}
	if l.spec.Hostname != nil && *l.spec.Hostname != "" && (l.protocol == ir.TCP || l.protocol == ir.UDP) {
		l.found.add(findings.ListenerUnsupportedValue, l.field+".hostname",
			"%s has no hostnames; remove it", l.protocol)
	}
}

func (b *frameBuilder) checkTLSFields(l *listener) {
	switch tls := l.spec.TLS; {
	case tls == nil:
	case !l.secure():
		l.found.add(findings.ListenerUnsupportedValue, l.field+".tls",
			"a listener of protocol %s has no TLS; remove it, or use HTTPS or TLS", l.protocol)
	default:
		b.checkTLSMode(l)
		for _, option := range slices.Sorted(maps.Keys(tls.Options)) {
			l.found.add(findings.ListenerUnsupportedValue, l.field+".tls.options",
				"option %q is unknown; remove it, and set TLS versions and ciphers in GatewayParameters", option)
		}
	}
}

func (b *frameBuilder) checkTLSMode(l *listener) {
	switch {
	case l.mode != ir.Terminate && l.mode != ir.Passthrough:
		l.found.add(findings.ListenerUnsupportedValue, l.field+".tls.mode", "%q is unknown; use Terminate or Passthrough", l.mode)
	case l.protocol == ir.HTTPS && l.mode == ir.Passthrough:
		l.found.add(findings.ListenerUnsupportedValue, l.field+".tls.mode", "HTTPS is terminated here; use protocol TLS to pass it through")
	case l.protocol == ir.TLS && l.mode == ir.Terminate && !b.class.features.Has(feature.TLSRouteModeTerminate):
		l.found.add(findings.ListenerUnsupportedValue, l.field+".tls.mode",
			"Terminate is not supported by the dataplane of %s; use Passthrough", b.class.controller)
	}
}

// finishListeners makes the ir of each listener that can be served.
func (b *frameBuilder) finishListeners() {
	for _, l := range b.listeners {
		made := &ir.Listener{Key: l.key, Port: uint16(l.spec.Port), Protocol: l.protocol, Hostname: l.hostname,
			SendProxyProtocol: b.effective.sendVersion(l)}
		if l.secure() {
			made.TLS = b.listenerTLS(l)
		}
		if l.accepted() && l.programmed() {
			l.made = made
		}
	}
	b.closeListeners()
	b.overlaps()
}

// listenerTLS resolves what a listener's TLS refers to.
func (b *frameBuilder) listenerTLS(l *listener) *ir.ListenerTLS {
	made := &ir.ListenerTLS{Mode: l.mode}
	if l.mode == ir.Terminate {
		made.Certificates = b.listenerCertificates(l)
		made.ClientValidation = b.clientValidation(l)
	}
	return made
}
