package gatewayapi

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
)

// filters writes the rule's own filters.
func (b *ruleBuilder) filters() {
	b.rule.Filters = b.filterList(b.source.filters, b.field+".filters")
	if i := slices.IndexFunc(b.source.filters, isType(gatewayv1.HTTPRouteFilterRequestRedirect)); i >= 0 && len(b.source.backends) > 0 {
		b.clash(item(b.field+".filters", i), "a RequestRedirect answers by itself, and the rule has backendRefs too; remove one of them")
	}
}

// filterList writes a list of filters, of a rule or of a backendRef.
func (b *ruleBuilder) filterList(list []gatewayv1.HTTPRouteFilter, field string) []ir.Filter {
	b.checkCombination(list, field)
	var made []ir.Filter
	for i := range list {
		f := &list[i]
		write, known := filterWriters[f.Type]
		if !known {
			b.refuse(item(field, i)+".type", "filter %q is not supported; remove it", f.Type)
			continue
		}
		if filter := write(b, f, item(field, i)); filter != nil {
			made = append(made, *filter)
		}
	}
	return made
}

// filterWriters write one type of filter each. nil is nothing to do, or a
// refusal that has been taken down.
var filterWriters = map[gatewayv1.HTTPRouteFilterType]func(*ruleBuilder, *gatewayv1.HTTPRouteFilter, string) *ir.Filter{
	gatewayv1.HTTPRouteFilterRequestHeaderModifier:  (*ruleBuilder).requestHeaders,
	gatewayv1.HTTPRouteFilterResponseHeaderModifier: (*ruleBuilder).responseHeaders,
	gatewayv1.HTTPRouteFilterRequestRedirect:        (*ruleBuilder).redirect,
	gatewayv1.HTTPRouteFilterURLRewrite:             (*ruleBuilder).rewrite,
	gatewayv1.HTTPRouteFilterRequestMirror:          (*ruleBuilder).mirror,
	gatewayv1.HTTPRouteFilterCORS:                   (*ruleBuilder).cors,
	gatewayv1.HTTPRouteFilterExternalAuth:           (*ruleBuilder).externalAuth,
	gatewayv1.HTTPRouteFilterExtensionRef:           (*ruleBuilder).extension,
}

// checkCombination refuses filters that come twice or exclude each other.
func (b *ruleBuilder) checkCombination(list []gatewayv1.HTTPRouteFilter, field string) {
	redirect := slices.IndexFunc(list, isType(gatewayv1.HTTPRouteFilterRequestRedirect))
	rewrite := slices.IndexFunc(list, isType(gatewayv1.HTTPRouteFilterURLRewrite))
	if redirect >= 0 && rewrite >= 0 {
		b.clash(item(field, max(redirect, rewrite)), "RequestRedirect and URLRewrite exclude each other; remove one")
	}
	for i := range list {
		t := list[i].Type
		if t == gatewayv1.HTTPRouteFilterRequestMirror || t == gatewayv1.HTTPRouteFilterExtensionRef {
			continue
		}
		if slices.ContainsFunc(list[:i], isType(t)) {
			b.clash(item(field, i), "%s comes twice; merge the two", t)
		}
	}
}

func isType(t gatewayv1.HTTPRouteFilterType) func(gatewayv1.HTTPRouteFilter) bool {
	return func(f gatewayv1.HTTPRouteFilter) bool { return f.Type == t }
}

func (b *ruleBuilder) empty(field string, t gatewayv1.HTTPRouteFilterType) *ir.Filter {
	b.refuse(field, "a filter of type %s needs its configuration beside the type", t)
	return nil
}

// extension refuses what no front end of Sluice implements. It must not be
// skipped: the rule answers with an error.
func (b *ruleBuilder) extension(f *gatewayv1.HTTPRouteFilter, field string) *ir.Filter {
	if f.ExtensionRef == nil {
		return b.empty(field, f.Type)
	}
	b.refuse(field+".extensionRef", "%s of group %q is no filter that Sluice knows; remove it", f.ExtensionRef.Kind, f.ExtensionRef.Group)
	return nil
}

// mirror writes a mirror. One whose backend cannot be resolved is left out, as
// the specification has it.
func (b *ruleBuilder) mirror(f *gatewayv1.HTTPRouteFilter, field string) *ir.Filter {
	m := f.RequestMirror
	if m == nil {
		return b.empty(field, f.Type)
	}
	field += ".requestMirror"
	made := &ir.Mirror{Numerator: 1, Denominator: 1}
	switch {
	case m.Percent != nil && m.Fraction != nil:
		b.refuse(field, "percent and fraction exclude each other; remove one")
	case m.Percent != nil:
		made.Numerator, made.Denominator = int(*m.Percent), 100
	case m.Fraction != nil:
		made.Numerator, made.Denominator = int(m.Fraction.Numerator), int(orDefault(m.Fraction.Denominator, 100))
	}
	if made.Denominator < 1 || made.Numerator < 0 || made.Numerator > made.Denominator {
		b.refuse(field, "%d of %d requests cannot be mirrored; the share is between 0 and all", made.Numerator, made.Denominator)
		return nil
	}
	key := b.resolve(backendUse{ref: m.BackendRef, field: field + ".backendRef", speak: b.speaks()})
	if key == nil {
		return nil
	}
	made.Backend = *key
	return &ir.Filter{Mirror: made}
}
