package gatewayapi

import (
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/operator/findings"
)

func (e *effective) layService(p *v1alpha1.ServiceParameters) {
	if p == nil {
		return
	}
	s := &e.service
	overPointer(&s.Type, p.Type)
	overPointer(&s.ExternalTrafficPolicy, p.ExternalTrafficPolicy)
	overPointer(&s.LoadBalancerClass, p.LoadBalancerClass)
	overPointer(&s.AllocateLoadBalancerNodePorts, p.AllocateLoadBalancerNodePorts)
	overPointer(&s.IPFamilyPolicy, p.IPFamilyPolicy)
	overPointer(&s.AddressAnnotation, p.AddressAnnotation)
	overList(&s.LoadBalancerSourceRanges, p.LoadBalancerSourceRanges)
	overList(&s.NodePorts, p.NodePorts)
	overList(&s.IPFamilies, p.IPFamilies)
	overKeys(&s.Annotations, p.Annotations)
	overKeys(&s.Labels, p.Labels)
}

func overPointer[T any](field **T, value *T) {
	if value != nil {
		*field = value
	}
}

func overList[T any](field *[]T, value []T) {
	if value != nil {
		*field = value
	}
}

// overKeys lays one map over another. Neither is changed: both may be an
// object's.
func overKeys(field *map[string]string, value map[string]string) {
	if len(value) == 0 {
		return
	}
	merged := maps.Clone(*field)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.Copy(merged, value)
	*field = merged
}

// checkService states what is wrong with the service part of parameters.
func checkService(p *v1alpha1.ServiceParameters, c parametersCheck) {
	if p == nil {
		return
	}
	for _, check := range []func(*v1alpha1.ServiceParameters){
		c.serviceType, c.loadBalancer, c.nodePorts, c.ipFamilies, c.addressAnnotation,
	} {
		check(p)
	}
	c.labels("labels", p.Labels)
	c.annotations("annotations", p.Annotations)
}

func (c parametersCheck) serviceType(p *v1alpha1.ServiceParameters) {
	oneOf(c, "type", p.Type, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort, corev1.ServiceTypeClusterIP)
	oneOf(c, "externalTrafficPolicy", p.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal)
	oneOf(c, "ipFamilyPolicy", p.IPFamilyPolicy, corev1.IPFamilyPolicySingleStack, corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack)
}

func oneOf[T ~string](c parametersCheck, path string, value *T, known ...T) {
	if value != nil && !slices.Contains(known, *value) {
		c.refuse(path, "%q is unknown; it is one of %q", *value, known)
	}
}

func (c parametersCheck) loadBalancer(p *v1alpha1.ServiceParameters) {
	if name := p.LoadBalancerClass; name != nil && len(validation.IsQualifiedName(*name)) > 0 {
		c.refuse("loadBalancerClass", "%q is no name of a class of load balancers; it is one like example.com/internal", *name)
	}
	if t := orDefault(p.Type, corev1.ServiceTypeLoadBalancer); t != corev1.ServiceTypeLoadBalancer && len(p.LoadBalancerSourceRanges) > 0 {
		c.refuse("loadBalancerSourceRanges", "with type %s nothing would keep others out; remove them, or use LoadBalancer", t)
	}
	for i, text := range p.LoadBalancerSourceRanges {
		if _, err := netip.ParsePrefix(text); err != nil {
			c.refuse(item("loadBalancerSourceRanges", i), "%q is no range of addresses; it is one like 192.0.2.0/24", text)
		}
	}
}

func (c parametersCheck) nodePorts(p *v1alpha1.ServiceParameters) {
	for i, n := range p.NodePorts {
		field := item("nodePorts", i)
		inRange(c, field+".port", &n.Port, 1, 65535)
		inRange(c, field+".nodePort", &n.NodePort, 1, 65535)
		for _, before := range p.NodePorts[:i] {
			if before.Port == n.Port || before.NodePort == n.NodePort {
				c.refuse(field, "port %d and node port %d are each to be named once; give it others", n.Port, n.NodePort)
				break
			}
		}
	}
}

func (c parametersCheck) ipFamilies(p *v1alpha1.ServiceParameters) {
	for i, family := range p.IPFamilies {
		if family != corev1.IPv4Protocol && family != corev1.IPv6Protocol || slices.Contains(p.IPFamilies[:i], family) {
			c.refuse(item("ipFamilies", i), "%q is unknown or repeated; list IPv4 and IPv6, each once", family)
		}
	}
	if len(p.IPFamilies) > 1 && p.IPFamilyPolicy != nil && *p.IPFamilyPolicy == corev1.IPFamilyPolicySingleStack {
		c.refuse("ipFamilies", "SingleStack has one; name one, or use ipFamilyPolicy PreferDualStack")
	}
}

func (c parametersCheck) addressAnnotation(p *v1alpha1.ServiceParameters) {
	if key := p.AddressAnnotation; key != nil && (reserved(*key) || len(validation.IsQualifiedName(*key)) > 0) {
		c.refuse("addressAnnotation", "%q is no key of an annotation of others; it is one like metallb.io/loadBalancerIPs", *key)
	}
}

func (c parametersCheck) labels(path string, labels map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		switch {
		case reserved(key):
			c.refuse(path, "%s is Sluice's own; remove it", key)
		case len(validation.IsQualifiedName(key)) > 0:
			c.refuse(path, "%q is no key of a label; it is one like example.com/team", key)
		case len(validation.IsValidLabelValue(labels[key])) > 0:
			c.refuse(path, "%q is no value of a label (%s); it has at most 63 letters, digits, '-', '_' and '.'", labels[key], key)
		}
	}
}

func (c parametersCheck) annotations(path string, annotations map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		switch {
		case reserved(key):
			c.refuse(path, "%s is Sluice's own; remove it", key)
		case len(validation.IsQualifiedName(key)) > 0:
			c.refuse(path, "%q is no key of an annotation; it is one like example.com/team", key)
		}
	}
}

// sourceRanges refuses a Gateway whose type would leave nobody out, where ranges
// say who may come in: one may be the class's, the other the Gateway's.
func (b *frameBuilder) sourceRanges(field string) {
	s := &b.effective.service
	if len(s.LoadBalancerSourceRanges) > 0 && s.Type != nil && *s.Type != corev1.ServiceTypeLoadBalancer {
		b.found.add(findings.ParametersInvalid, fieldOf(field, "service.type"),
			"with %s, nothing holds clients to the loadBalancerSourceRanges of the GatewayClass; use LoadBalancer", *s.Type)
	}
}
