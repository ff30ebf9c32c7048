package gatewayapi

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// policy is a BackendTLSPolicy by itself, read once for all that it targets.
type policy struct {
	age        age
	generation int64
	targets    []gatewayv1.LocalPolicyTargetReferenceWithSectionName
	// tls is never nil; an invalid policy makes TLS that always fails.
	tls   *ir.BackendTLS
	found []findings.Finding
	sans  bool
}

// verdict is what one target makes of a policy.
type verdict struct {
	policy     resources.Key
	generation int64
	found      []findings.Finding
	// sans is set where the policy asks for subject alternative names.
	sans bool
}

// target is a port of a Service that policies may target.
type target struct {
	key    resources.Key
	exists bool
	port   string
	ports  []string
}

// candidate is a policy that targets a port, by one of its targetRefs.
type candidate struct {
	*policy
	section string
	field   string
}

// policiesFor returns the TLS of a port, and what became of each policy that
// targets it. One that names the port outranks one that names the Service; of
// two of a kind, the older (GEP-713).
func (t *Translator) policiesFor(view *resources.View, to target) (*ir.BackendTLS, []verdict) {
	var verdicts []verdict
	winners := map[string]*policy{}
	for _, c := range t.candidates(view, to) {
		v := verdict{c.age.key, c.generation, c.found, c.sans}
		switch {
		case !to.exists:
			v.found = with(c.found, newFinding(findings.PolicyTargetNotFound, c.field+".name", "%v does not exist; create it, or correct the name", to.key))
		case c.section != "" && !slices.Contains(to.ports, c.section):
			v.found = with(c.found, newFinding(findings.PolicyTargetNotFound, c.field+".sectionName", "%v has no port called %q; correct the name", to.key, c.section))
		case c.section != "" && c.section != to.port:
			continue
		case winners[c.section] != nil:
			v.found = with(c.found, newFinding(findings.PolicyConflicted, c.field, "%v targets the same and is older; remove one of the two", winners[c.section].age.key))
		default:
			winners[c.section] = c.policy
		}
		verdicts = append(verdicts, v)
	}
	for _, section := range []string{to.port, ""} {
		if w := winners[section]; w != nil {
			return w.tls, verdicts
		}
	}
	return nil, verdicts
}

func with(found []findings.Finding, more findings.Finding) []findings.Finding {
	return append(slices.Clone(found), more)
}

// candidates are the policies that target a Service, oldest first.
func (t *Translator) candidates(view *resources.View, to target) []candidate {
	var found []candidate
	for _, key := range view.List(policiesByTarget, to.key) {
		p := t.policies.Within(view, key, func(v *resources.View) *policy { return readPolicy(v, key) })
		if p == nil {
			continue
		}
		for i := range p.targets {
			if ref := &p.targets[i]; isService(ref.Group, ref.Kind) && string(ref.Name) == to.key.Name {
				found = append(found, candidate{p, string(orDefault(ref.SectionName, "")), item("spec.targetRefs", i)})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return byAge(a.age, b.age) })
	return found
}

func readPolicy(view *resources.View, key resources.Key) *policy {
	object, state := resources.Get[*gatewayv1.BackendTLSPolicy](view, key)
	if state != resources.Present {
		return nil
	}
	p := &policy{age: age{object.CreationTimestamp.Time, key}, generation: object.Generation, targets: object.Spec.TargetRefs}
	r := policyReader{view: view, key: key, object: object, tls: &ir.BackendTLS{}}
	if why := guard(r.read); why != "" {
		r.found.add(findings.PolicyBroken, "", "Sluice cannot read %v: %s; please report this", key, why)
	}
	p.found, p.sans = r.found.found, len(object.Spec.Validation.SubjectAltNames) > 0
	p.tls = r.tls
	if len(p.found) > 0 {
		p.tls = &ir.BackendTLS{Hostname: r.tls.Hostname, Invalid: fmt.Sprintf("%v is not valid; its status says why", key)}
	}
	return p
}

// policyReader reads one policy, check by check.
type policyReader struct {
	view   *resources.View
	key    resources.Key
	object *gatewayv1.BackendTLSPolicy
	tls    *ir.BackendTLS
	found  notes
}

func (r *policyReader) read() {
	for _, check := range []func(){r.hostname, r.options, r.trust, r.names} {
		check()
	}
}

func (r *policyReader) refuse(field, format string, args ...any) {
	r.found.add(findings.PolicyInvalid, field, format, args...)
}

func (r *policyReader) hostname() {
	r.tls.Hostname = strings.ToLower(string(r.object.Spec.Validation.Hostname))
	if !validHostname(r.tls.Hostname) || r.tls.Hostname[0] == '*' {
		r.refuse("spec.validation.hostname", "%s is no hostname; give the name that the backend's certificate is for", quote(r.tls.Hostname))
	}
}

func (r *policyReader) options() {
	for _, option := range slices.Sorted(maps.Keys(r.object.Spec.Options)) {
		r.refuse("spec.options", "option %q is unknown; remove it", option)
	}
}

// trust reads what a backend's certificate is verified with.
func (r *policyReader) trust() {
	const field = "spec.validation.caCertificateRefs"
	v := &r.object.Spec.Validation
	known := orDefault(v.WellKnownCACertificates, "")
	switch {
	case known != "" && len(v.CACertificateRefs) > 0:
		r.refuse(field, "it excludes wellKnownCACertificates; remove one")
	case known == gatewayv1.WellKnownCACertificatesSystem:
		r.tls.SystemCAs = true
	case known != "":
		r.refuse("spec.validation.wellKnownCACertificates", "%q is unknown; use System", known)
	case len(v.CACertificateRefs) == 0:
		r.refuse(field, "nothing to verify with; give caCertificateRefs or wellKnownCACertificates")
	default:
		r.anchors(v.CACertificateRefs, field)
	}
}

func (r *policyReader) anchors(refs []gatewayv1.LocalObjectReference, field string) {
	for i := range refs {
		r.tls.CAs += r.anchor(&refs[i], item(field, i))
	}
	if r.tls.CAs == "" && !r.view.Pending() {
		r.found.add(findings.PolicyNoValidCA, field, "none of the references is usable, so no backend can be verified; correct them")
	}
}

func (r *policyReader) anchor(ref *gatewayv1.LocalObjectReference, field string) string {
	if ref.Group != corev1.GroupName || resources.Kind(ref.Kind) != resources.ConfigMap {
		r.found.add(findings.PolicyCAKindInvalid, field, "%s of group %q holds no CA for Sluice; refer to a ConfigMap", ref.Kind, ref.Group)
		return ""
	}
	bundle, why := configMapBundle(r.view, resources.Key{Kind: resources.ConfigMap, Namespace: r.key.Namespace, Name: string(ref.Name)})
	if why != "" {
		r.found.add(findings.PolicyCARefInvalid, field, "%s", why)
	}
	return bundle
}

func (r *policyReader) names() {
	for i := range r.object.Spec.Validation.SubjectAltNames {
		r.subjectAltName(&r.object.Spec.Validation.SubjectAltNames[i], item("spec.validation.subjectAltNames", i))
	}
}

func (r *policyReader) subjectAltName(n *gatewayv1.SubjectAltName, field string) {
	switch n.Type {
	case gatewayv1.HostnameSubjectAltNameType:
		if !validHostname(string(n.Hostname)) {
			r.refuse(field+".hostname", "%s is no hostname; correct it", quote(string(n.Hostname)))
		}
		r.tls.SANs = append(r.tls.SANs, ir.SAN{DNS: strings.ToLower(string(n.Hostname))})
	case gatewayv1.URISubjectAltNameType:
		if u, err := url.Parse(string(n.URI)); err != nil || u.Scheme == "" {
			r.refuse(field+".uri", "%s is no URI with a scheme; correct it", quote(string(n.URI)))
		}
		r.tls.SANs = append(r.tls.SANs, ir.SAN{URI: string(n.URI)})
	default:
		r.refuse(field+".type", "%q is unknown; use Hostname or URI", n.Type)
	}
}
