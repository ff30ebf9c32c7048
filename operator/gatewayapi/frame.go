package gatewayapi

import (
	"fmt"
	"runtime"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// frame is a unit without its routes: the Gateway, its ListenerSets, and what
// they refer to.
type frame struct {
	gateway    *gatewayv1.Gateway
	controller gatewayv1.GatewayController
	// routing is what routes depend on. While it stays equal it stays the same
	// pointer, and routes that did not change are not looked at.
	routing *routing
	// listeners are in order of precedence: the Gateway's, then those of its
	// ListenerSets, oldest first.
	listeners []*listener
	sets      []*listenerSet
	settings  ir.Settings
	// asks is what the Gateway wants of the objects that run it.
	asks *Infrastructure
	// certificates are those that the valid listeners and the backends need.
	certificates map[ir.CertificateKey]*ir.Certificate
	// found are the facts about the Gateway itself.
	found notes
	// refused is true where the Gateway as a whole is not served, and absent
	// where it is none of ours.
	refused bool
	absent  bool
	// classless is true where it is absent because its class does not exist.
	classless bool
	pending   bool
}

// routing is what routes see of their unit.
type routing struct {
	owner      ir.Object
	controller gatewayv1.GatewayController
	features   feature.Set
	// parents are what parentRefs can name, with their listeners.
	parents           map[resources.Key]*parent
	clientCertificate *ir.CertificateKey
	// clientCertificateBroken is set where the Gateway asks for a client
	// certificate that cannot be had: backends with TLS fail then.
	clientCertificateBroken bool
	endpoints               v1alpha1.EndpointsMode
	allowExternalName       bool
	balancing               ir.Balancing
	// ejection is nil where it is off.
	ejection *ir.Ejection
}

// parent is a Gateway or a ListenerSet as its routes see it.
type parent struct {
	key resources.Key
	// refused is why no route can attach; empty where one can.
	refused string
	ports   []port
}

// port is a listener as routes see it.
type port struct {
	key ir.ListenerKey
	// place is the listener's index in the unit.
	place    int
	number   gatewayv1.PortNumber
	protocol ir.Protocol
	hostname string
	kinds    []ir.RouteKind
	allowed  namespaces
	// terminates is false for TLS that is passed through.
	terminates bool
	// live is true where the listener is in the ir.
	live bool
}

// frameOf returns the frame of a Gateway.
func (t *Translator) frameOf(owner ir.Object) *frame {
	return t.frames.Do(t.set, owner, func(v *resources.View) *frame {
		f := t.frame(v, keyOf(owner))
		f.pending = v.Pending()
		return f
	})
}

func (t *Translator) frame(view *resources.View, key resources.Key) *frame {
	gw, state := resources.Get[*gatewayv1.Gateway](view, key)
	if state != resources.Present {
		return &frame{absent: true}
	}
	name := string(gw.Spec.GatewayClassName)
	class := t.classOf(view, name)
	if class == nil {
		_, state := view.Get(classKey(name))
		return &frame{absent: true, classless: t.opts.KeepClassless && state == resources.Absent}
	}
	f := &frame{gateway: gw, controller: class.controller, certificates: map[ir.CertificateKey]*ir.Certificate{}}
	b := &frameBuilder{Translator: t, view: view, key: key, class: class, frame: f}
	if why := guard(b.build); why != "" {
		f.found.add(findings.GatewayBroken, "", "Sluice cannot translate %v: %s; please report this", key, why)
		f.refused = true
	}
	if f.routing == nil {
		f.routing = &routing{owner: objectOf(key), controller: class.controller, features: class.features,
			parents: map[resources.Key]*parent{key: {key: key, refused: "the Gateway is not accepted"}}}
	}
	return f
}

// guard runs a step, and returns what it panicked with: one bad object costs
// itself alone. The place helps whoever gets the report.
func guard(step func()) (why string) {
	defer func() {
		if r := recover(); r != nil {
			why = fmt.Sprintf("internal error at %s: %v", panicPlace(), r)
		}
	}()
	step()
	return ""
}

// panicPlace is the function of ours that panicked.
func panicPlace() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		if strings.Contains(f.Function, "/gatewayapi.") && !strings.Contains(f.Function, "guard") {
			return f.Function[strings.LastIndex(f.Function, "/")+1:]
		}
		if !more {
			return "an unknown place"
		}
	}
}

// frameBuilder makes a frame, step by step.
type frameBuilder struct {
	*Translator
	view  *resources.View
	key   resources.Key
	class *class
	*frame
	effective effective
	// clientCertificate is what backends are shown; clientBroken is set where
	// one is asked for and cannot be had.
	clientCertificate *ir.Certificate
	clientBroken      bool
}

func (b *frameBuilder) build() {
	b.parameters()
	b.unsupported()
	b.addresses()
	b.collectListeners()
	b.conflicts()
	b.backendTLS()
	b.finishListeners()
	b.accept()
	b.makeRouting()
}

// parameters lays the Gateway's over its class's, over the defaults.
func (b *frameBuilder) parameters() {
	b.effective = defaults()
	if !b.class.accepted() {
		b.found.add(findings.ParametersInvalid, "spec.gatewayClassName",
			"the parameters of GatewayClass %s are invalid; its status says why", b.class.name)
		return
	}
	b.effective.lay(b.class.parameters)
	if infra := b.gateway.Spec.Infrastructure; infra != nil && infra.ParametersRef != nil {
		ref := infra.ParametersRef
		const field = "spec.infrastructure.parametersRef"
		own := readParameters(b.view, parametersRef{ref.Group, ref.Kind, b.key.Namespace, ref.Name, field}, &b.found)
		checkParameters(own, field, &b.found)
		refuseClassOnly(own, field, &b.found)
		refuseOverrides(own, parametersRefusal{field, mayOverride(b.class.parameters), &b.found})
		b.effective.lay(own)
		b.sourceRanges(field)
	}
	b.settings = b.effective.settings
	b.settings.HTTP3 = b.http3()
}

// unsupported refuses the fields of the experimental channel that Sluice does
// not implement, as ignoring them would leave the author in error.
func (b *frameBuilder) unsupported() {
	if s := b.gateway.Spec.DefaultScope; s != "" && s != gatewayv1.GatewayDefaultScopeNone {
		b.found.add(findings.GatewayUnsupportedValue, "spec.defaultScope",
			"default Gateways are not supported; remove it, and name this Gateway in the routes' parentRefs")
	}
}

// accept decides on the Gateway as a whole, from what was found.
func (b *frameBuilder) accept() {
	var own tally
	valid, live := 0, 0
	for _, l := range b.listeners {
		if l.accepted() {
			valid++
		}
		if l.made != nil {
			live++
		}
		if l.owner == b.key {
			own.add(l)
		}
	}
	if len(own.unresolved) > 0 {
		b.found.add(findings.ListenersNotResolved, "spec.listeners",
			"references of %s cannot be followed; their conditions say why", strings.Join(own.unresolved, ", "))
	}
	switch {
	case valid == 0:
		b.found.add(findings.NoValidListeners, "spec.listeners", "no listener is valid; the listeners' conditions say why")
	case live == 0:
		b.found.add(findings.NoLiveListeners, "spec.listeners", "no listener can be served; the listeners' conditions say why")
	}
	if valid > 0 && len(own.invalid) > 0 {
		b.found.add(findings.SomeListenersInvalid, "spec.listeners",
			"%s not valid, the others are served; the listeners' conditions say why", areOrIs(own.invalid))
	}
	b.refused = findings.Turns(b.found.found, "Accepted", "False")
}

// tally is what there is to say about the Gateway's own listeners together.
type tally struct{ invalid, unresolved []string }

func (t *tally) add(l *listener) {
	if !l.accepted() {
		t.invalid = append(t.invalid, l.key.Section)
	}
	if !l.resolved() {
		t.unresolved = append(t.unresolved, l.key.Section)
	}
}

func areOrIs(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names, ", ") + " are"
}

// makeRouting writes down what routes see. It goes last, as it says which
// listeners are live.
func (b *frameBuilder) makeRouting() {
	r := &routing{
		owner:                   objectOf(b.key),
		controller:              b.class.controller,
		features:                b.class.features,
		parents:                 map[resources.Key]*parent{b.key: {key: b.key}},
		clientCertificateBroken: b.clientBroken,
		endpoints:               b.effective.endpoints,
		allowExternalName:       b.effective.allowExternalName,
		balancing:               b.effective.balancing,
		ejection:                b.effective.ejects(),
	}
	if b.clientCertificate != nil {
		r.clientCertificate = &b.clientCertificate.Key
		b.certificates[b.clientCertificate.Key] = b.clientCertificate
	}
	for _, set := range b.sets {
		set.settle(b.refused, b.key)
		r.parents[set.key] = &parent{key: set.key}
		if !set.allowed {
			r.parents[set.key].refused = "the Gateway does not take this ListenerSet"
		}
	}
	for i, l := range b.listeners {
		p := r.parents[l.owner]
		p.ports = append(p.ports, port{
			key: l.key, place: i, number: l.spec.Port, protocol: l.protocol, hostname: l.hostname,
			kinds: l.kinds, allowed: l.allowed, terminates: l.mode == ir.Terminate,
			live: l.made != nil && !b.refused,
		})
	}
	b.routing = r
	b.asks = b.infrastructure()
	b.refuseListeners()
}

// refuseListeners says of every listener of a refused Gateway that nobody runs
// it. It goes last: what the listener is by itself was decided before.
func (b *frameBuilder) refuseListeners() {
	if !b.refused {
		return
	}
	for _, l := range b.listeners {
		l.found.add(findings.NotYetProgrammed, l.field, "%v is not accepted; its conditions say why", b.key)
	}
}
