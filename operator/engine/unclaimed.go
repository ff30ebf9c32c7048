package engine

import (
	"fmt"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// Unclaimed is a Gateway that no controller of ours serves, or an object that
// would be attached to one and is attached to none, and why. In a cluster
// another controller may look after it; in front of a terminal somebody waits.
type Unclaimed struct {
	Object resources.Key
	Field  string
	Why    string
}

// attachable are the kinds that do nothing without a Gateway.
var attachable = []resources.Kind{
	resources.ListenerSet, resources.HTTPRoute, resources.GRPCRoute, resources.TLSRoute, resources.TCPRoute, resources.UDPRoute,
}

// unclaim finds what is nobody's, unless nothing but endpoints changed.
func (e *Engine) unclaim(facts []resources.Fact) {
	structural := false
	for _, f := range facts {
		structural = structural || f.Index == "" && f.Key.Kind != resources.EndpointSlice
	}
	if !structural {
		return
	}
	e.unclaimed = nil
	view := e.set.NewView()
	served := e.served()
	var names []string
	for _, key := range view.List(resources.ByKind, resources.Key{Kind: resources.Gateway}) {
		if served[key] {
			names = append(names, key.Namespace+"/"+key.Name)
			continue
		}
		e.unclaimed = append(e.unclaimed, Unclaimed{Object: key, Field: "spec.gatewayClassName", Why: whyUnclaimed(view, key)})
	}
	reported := e.reported()
	for _, kind := range attachable {
		for _, key := range view.List(resources.ByKind, resources.Key{Kind: kind}) {
			if !reported[key] {
				e.unclaimed = append(e.unclaimed, Unclaimed{Object: key, Field: parentField(kind), Why: whyUnattached(kind, names)})
			}
		}
	}
}

func (e *Engine) served() map[resources.Key]bool {
	served := map[resources.Key]bool{}
	for _, front := range e.fronts {
		for _, owner := range front.Units() {
			served[keyOf(owner)] = true
		}
	}
	return served
}

func (e *Engine) reported() map[resources.Key]bool {
	reported := map[resources.Key]bool{}
	for _, u := range e.units {
		for _, r := range u.output.Reports {
			reported[r.Object] = true
		}
	}
	return reported
}

func keyOf(owner ir.Object) resources.Key {
	return resources.Key{Kind: resources.Kind(owner.Kind), Namespace: owner.Namespace, Name: owner.Name}
}

func whyUnclaimed(view *resources.View, key resources.Key) string {
	gw, _ := resources.Get[*gatewayv1.Gateway](view, key)
	if gw == nil {
		return "It is not served"
	}
	name := string(gw.Spec.GatewayClassName)
	class, state := resources.Get[*gatewayv1.GatewayClass](view, resources.Key{Kind: resources.GatewayClass, Name: name})
	if state != resources.Present {
		return fmt.Sprintf("The GatewayClass %q does not exist: create it with controllerName: sluice.dev/go, or name another one in spec.gatewayClassName", name)
	}
	return fmt.Sprintf("The GatewayClass %q has the controllerName %q, which nothing here serves: sluice.dev/go is one that is served", name, class.Spec.ControllerName)
}

func parentField(kind resources.Kind) string {
	if kind == resources.ListenerSet {
		return "spec.parentRef"
	}
	return "spec.parentRefs"
}

func whyUnattached(kind resources.Kind, gateways []string) string {
	there := "no Gateway is served here"
	if len(gateways) > 0 {
		there = "these are served here: " + strings.Join(gateways, ", ")
	}
	return fmt.Sprintf("%s names no Gateway or ListenerSet that is served: %s", parentField(kind), there)
}
