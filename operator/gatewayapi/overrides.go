package gatewayapi

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/operator/findings"
)

// overridable are the fields of service and pods that a class can leave to its
// Gateways, and whether it does where it says nothing. Left to them is what costs
// and hurts nobody but themselves.
var overridable = map[v1alpha1.OverridableField]bool{
	"service.type":                          false,
	"service.externalTrafficPolicy":         true,
	"service.loadBalancerClass":             false,
	"service.loadBalancerSourceRanges":      false,
	"service.allocateLoadBalancerNodePorts": false,
	"service.nodePorts":                     false,
	"service.ipFamilyPolicy":                true,
	"service.ipFamilies":                    true,
	"service.annotations":                   false,
	"service.labels":                        false,
	"pods.replicas":                         true,
	"pods.resources":                        true,
	"pods.nodeSelector":                     false,
	"pods.tolerations":                      false,
	"pods.affinity":                         false,
	"pods.topologySpreadConstraints":        true,
	"pods.priorityClassName":                false,
	"pods.annotations":                      false,
	"pods.labels":                           false,
	"pods.disruptionBudget":                 true,
	"pods.strategy":                         true,
}

// mayOverride says what the Gateways of a class may set.
func mayOverride(class *v1alpha1.GatewayParametersSpec) func(v1alpha1.OverridableField) bool {
	if class == nil || class.Gateways == nil || class.Gateways.MayOverride == nil {
		return func(f v1alpha1.OverridableField) bool { return overridable[f] }
	}
	return func(f v1alpha1.OverridableField) bool { return slices.Contains(class.Gateways.MayOverride, f) }
}

// checkGateways states which names of fields a class cannot leave to Gateways.
func checkGateways(p *v1alpha1.GatewaysParameters, c parametersCheck) {
	if p == nil {
		return
	}
	for i, name := range p.MayOverride {
		if _, known := overridable[name]; !known {
			c.refuse(item("mayOverride", i), "%q is no field that can be left to Gateways; it is one like pods.replicas, or service.type", name)
		}
	}
}

// parametersRefusal is what a Gateway's parameters are held to.
type parametersRefusal struct {
	ref   string
	may   func(v1alpha1.OverridableField) bool
	found *notes
}

// refuseOverrides states which fields of service and pods a Gateway's parameters
// may not have.
func refuseOverrides(own *v1alpha1.GatewayParametersSpec, r parametersRefusal) {
	if own == nil {
		return
	}
	if own.Gateways != nil {
		r.found.add(findings.ParametersInvalid, fieldOf(r.ref, "gateways"), classAlone)
	}
	if own.Service != nil {
		r.refuse(serviceFieldsSet(own.Service))
	}
	if own.Pods != nil {
		r.refuse(podFieldsSet(own.Pods))
	}
}

func (r parametersRefusal) refuse(set []v1alpha1.OverridableField) {
	for _, name := range set {
		_, known := overridable[name]
		switch {
		case !known:
			r.found.add(findings.ParametersInvalid, fieldOf(r.ref, string(name)), classAlone)
		case !r.may(name):
			r.found.add(findings.ParametersInvalid, fieldOf(r.ref, string(name)),
				"the GatewayClass's parameters do not leave this to Gateways; remove it here, or have %s added to their gateways.mayOverride", name)
		}
	}
}

// fieldSet is a field's name, and whether it is set.
type fieldSet struct {
	name string
	set  bool
}

func serviceFieldsSet(p *v1alpha1.ServiceParameters) []v1alpha1.OverridableField {
	return fieldNames("service.", []fieldSet{
		{"type", p.Type != nil},
		{"externalTrafficPolicy", p.ExternalTrafficPolicy != nil},
		{"loadBalancerClass", p.LoadBalancerClass != nil},
		{"loadBalancerSourceRanges", p.LoadBalancerSourceRanges != nil},
		{"allocateLoadBalancerNodePorts", p.AllocateLoadBalancerNodePorts != nil},
		{"nodePorts", p.NodePorts != nil},
		{"ipFamilyPolicy", p.IPFamilyPolicy != nil},
		{"ipFamilies", p.IPFamilies != nil},
		{"annotations", p.Annotations != nil},
		{"labels", p.Labels != nil},
		{"addressAnnotation", p.AddressAnnotation != nil},
	})
}

func podFieldsSet(p *v1alpha1.PodParameters) []v1alpha1.OverridableField {
	return fieldNames("pods.", []fieldSet{
		{"replicas", p.Replicas != nil},
		{"resources", p.Resources != nil},
		{"nodeSelector", p.NodeSelector != nil},
		{"tolerations", p.Tolerations != nil},
		{"affinity", p.Affinity != nil},
		{"topologySpreadConstraints", p.TopologySpreadConstraints != nil},
		{"priorityClassName", p.PriorityClassName != nil},
		{"annotations", p.Annotations != nil},
		{"labels", p.Labels != nil},
		{"image", p.Image != nil},
		{"imagePullPolicy", p.ImagePullPolicy != nil},
		{"imagePullSecrets", p.ImagePullSecrets != nil},
		{"disruptionBudget", p.DisruptionBudget != nil},
		{"strategy", p.Strategy != nil},
	})
}

func fieldNames(part string, fields []fieldSet) []v1alpha1.OverridableField {
	var set []v1alpha1.OverridableField
	for _, f := range fields {
		if f.set {
			set = append(set, v1alpha1.OverridableField(part+f.name))
		}
	}
	return set
}

// reserved reports whether a label or an annotation is one that Sluice sets.
func reserved(key string) bool {
	prefix, _, _ := strings.Cut(key, "/")
	return prefix == "sluice.dev" || strings.HasSuffix(prefix, ".sluice.dev") ||
		slices.Contains([]string{"app.kubernetes.io/managed-by", "app.kubernetes.io/name", "gateway.networking.k8s.io/gateway-name", "gateway.networking.k8s.io/gateway-class-name"}, key)
}
