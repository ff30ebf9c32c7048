package engine

import (
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/findings"
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

// claims count the reports about each object.
type claims struct {
	by map[resources.Key]int
	// moved is true where an object came to have a report, or to have none.
	moved bool
}

// replace takes the reports of one unit in the place of those before. Mostly all
// but one are the same.
func (c *claims) replace(before, after []*findings.Report) {
	for len(before) > 0 && len(after) > 0 && before[0] == after[0] {
		before, after = before[1:], after[1:]
	}
	for len(before) > 0 && len(after) > 0 && before[len(before)-1] == after[len(after)-1] {
		before, after = before[:len(before)-1], after[:len(after)-1]
	}
	for _, r := range after {
		c.moved = c.moved || c.by[r.Object] == 0
		c.by[r.Object]++
	}
	for _, r := range before {
		if c.by[r.Object]--; c.by[r.Object] == 0 {
			delete(c.by, r.Object)
			c.moved = true
		}
	}
}

// concerns reports whether a fact may make something unclaimed, or claimed.
func (c *claims) concerns(f resources.Fact) bool {
	switch {
	case f.Index != "":
		return false
	case slices.Contains(attachable, f.Key.Kind):
		return c.by[f.Key] == 0
	default:
		return f.Key.Kind == resources.Gateway || f.Key.Kind == resources.GatewayClass
	}
}

// unclaim finds what is nobody's, where that may have changed.
func (e *Engine) unclaim(facts []resources.Fact) bool {
	if len(e.opts.Unclaimed) == 0 || !e.claimed.moved && !slices.ContainsFunc(facts, e.claimed.concerns) {
		return false
	}
	e.claimed.moved = false
	e.unclaimed = nil
	view := e.set.NewView()
	served, ours := e.served(), controllerNames(e.opts.Unclaimed)
	var names []string
	for _, key := range view.List(resources.ByKind, resources.Key{Kind: resources.Gateway}) {
		if served[key] {
			names = append(names, key.Namespace+"/"+key.Name)
			continue
		}
		e.unclaimed = append(e.unclaimed, Unclaimed{Object: key, Field: "spec.gatewayClassName", Why: whyUnclaimed(view, key, ours)})
	}
	for _, kind := range attachable {
		for _, key := range view.List(resources.ByKind, resources.Key{Kind: kind}) {
			if e.claimed.by[key] == 0 {
				e.unclaimed = append(e.unclaimed, Unclaimed{Object: key, Field: parentField(kind), Why: whyUnattached(kind, names)})
			}
		}
	}
	return true
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

func keyOf(owner ir.Object) resources.Key {
	return resources.Key{Kind: resources.Kind(owner.Kind), Namespace: owner.Namespace, Name: owner.Name}
}

func whyUnclaimed(view *resources.View, key resources.Key, ours string) string {
	gw, _ := resources.Get[*gatewayv1.Gateway](view, key)
	if gw == nil {
		return "It is not served"
	}
	name := string(gw.Spec.GatewayClassName)
	class, state := resources.Get[*gatewayv1.GatewayClass](view, resources.Key{Kind: resources.GatewayClass, Name: name})
	if state != resources.Present {
		return fmt.Sprintf("The GatewayClass %q does not exist: create it with the controllerName %s, or name another one in spec.gatewayClassName", name, ours)
	}
	return fmt.Sprintf("The GatewayClass %q has the controllerName %q, which nothing here serves: want %s", name, class.Spec.ControllerName, ours)
}

// controllerNames lists them as a choice.
func controllerNames(names []gatewayv1.GatewayController) string {
	var all []string
	for _, name := range names {
		all = append(all, string(name))
	}
	return strings.Join(all, " or ")
}

func parentField(kind resources.Kind) string {
	if kind == resources.ListenerSet {
		return "spec.parentRef"
	}
	return "spec.parentRefs"
}

// mostNames is how many Gateways a message lists.
const mostNames = 5

func whyUnattached(kind resources.Kind, gateways []string) string {
	there := "no Gateway is served here"
	if more := len(gateways) - mostNames; more > 0 {
		there = fmt.Sprintf("these are served here: %s, and %d more", strings.Join(gateways[:mostNames], ", "), more)
	} else if len(gateways) > 0 {
		there = "these are served here: " + strings.Join(gateways, ", ")
	}
	return fmt.Sprintf("%s names no Gateway or ListenerSet that is served: %s", parentField(kind), there)
}
