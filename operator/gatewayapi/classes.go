package gatewayapi

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// class is a GatewayClass of a controller that is ours.
type class struct {
	name       string
	controller gatewayv1.GatewayController
	features   feature.Set
	// parameters are nil where the class has none.
	parameters *v1alpha1.GatewayParametersSpec
	report     *findings.Report
	pending    bool
}

func (c *class) accepted() bool {
	return !findings.Turns(c.report.Subjects[0].Findings, "Accepted", metav1.ConditionFalse)
}

// Classes reports on every GatewayClass of ours, in order of their names.
func (t *Translator) Classes() []*findings.Report {
	var reports []*findings.Report
	for _, key := range t.set.NewView().List(resources.ByKind, resources.Key{Kind: resources.GatewayClass}) {
		c := t.classes.Do(t.set, key.Name, func(v *resources.View) *class { return t.class(v, key.Name) })
		if c != nil && !c.pending {
			reports = append(reports, c.report)
		}
	}
	return reports
}

// classOf returns a class as a part of another computation; nil where it is not
// there or not ours.
func (t *Translator) classOf(view *resources.View, name string) *class {
	return t.classes.Within(view, name, func(v *resources.View) *class { return t.class(v, name) })
}

// ours reports whether a Gateway has a class of ours. It records no read: who
// asks will look again when the class changes.
func (t *Translator) ours(key resources.Key) bool {
	view := t.set.NewView()
	gw, state := resources.Get[*gatewayv1.Gateway](view, key)
	if state != resources.Present {
		return false
	}
	gc, state := resources.Get[*gatewayv1.GatewayClass](view, classKey(string(gw.Spec.GatewayClassName)))
	if state != resources.Present {
		return false
	}
	_, mine := t.opts.Controllers[gc.Spec.ControllerName]
	return mine
}

func (t *Translator) class(view *resources.View, name string) (made *class) {
	gc, state := resources.Get[*gatewayv1.GatewayClass](view, classKey(name))
	if state != resources.Present {
		return nil
	}
	features, mine := t.opts.Controllers[gc.Spec.ControllerName]
	if !mine {
		return nil
	}
	c := &class{name: name, controller: gc.Spec.ControllerName, features: features}
	var found notes
	c.parameters = classParameters(view, gc.Spec.ParametersRef, &found)
	crds := offerOf(view)
	crds.tell(&found)
	c.pending = view.Pending()
	c.report = classReport(gc, c, found.found)
	for _, name := range feature.Supported(features.Without(crds.missing...)) {
		c.report.Features = append(c.report.Features, gatewayv1.SupportedFeature{Name: gatewayv1.FeatureName(name)})
	}
	return c
}

func classReport(gc *gatewayv1.GatewayClass, c *class, found []findings.Finding) *findings.Report {
	return &findings.Report{
		Object:     classKey(c.name),
		Generation: gc.Generation,
		Controller: c.controller,
		Subjects:   []findings.Subject{{Kind: findings.GatewayClass, Findings: found}},
	}
}

// classParameters reads what a class's parametersRef names. A class must give
// the namespace, as GatewayParameters live in one.
func classParameters(view *resources.View, ref *gatewayv1.ParametersReference, found *notes) *v1alpha1.GatewayParametersSpec {
	const field = "spec.parametersRef"
	if ref == nil {
		return nil
	}
	if ref.Namespace == nil || *ref.Namespace == "" {
		found.add(findings.ParametersInvalid, field+".namespace",
			"GatewayParameters live in a namespace; name the one of %q", ref.Name)
		return nil
	}
	spec := readParameters(view, parametersRef{ref.Group, ref.Kind, string(*ref.Namespace), ref.Name, field}, found)
	checkParameters(spec, field, found)
	return spec
}

// parametersRef is a reference to parameters, of a class or of a Gateway.
type parametersRef struct {
	Group     gatewayv1.Group
	Kind      gatewayv1.Kind
	Namespace string
	Name      string
	Field     string
}

func readParameters(view *resources.View, ref parametersRef, found *notes) *v1alpha1.GatewayParametersSpec {
	if string(ref.Group) != v1alpha1.GroupVersion.Group || resources.Kind(ref.Kind) != resources.GatewayParameters {
		found.add(findings.ParametersInvalid, ref.Field,
			"%s of group %q cannot hold parameters; refer to GatewayParameters of group %q",
			ref.Kind, ref.Group, v1alpha1.GroupVersion.Group)
		return nil
	}
	key := resources.Key{Kind: resources.GatewayParameters, Namespace: ref.Namespace, Name: ref.Name}
	obj, state := resources.Get[*v1alpha1.GatewayParameters](view, key)
	switch {
	case state == resources.Pending:
		return nil
	case state == resources.Absent:
		found.add(findings.ParametersInvalid, ref.Field+".name", "%v does not exist; create it, or correct the name", key)
		return nil
	}
	return &obj.Spec
}

// fieldOf names a field of the parameters that a reference leads to.
func fieldOf(ref, path string) string { return fmt.Sprintf("%s -> spec.%s", ref, path) }
