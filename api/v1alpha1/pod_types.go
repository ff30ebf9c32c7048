package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// PodParameters shape the pods that the proxies run in.
type PodParameters struct {
	// Replicas is the number of pods. With 0, nobody serves the Gateway. Default:
	// 2.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`
	// Resources are what a proxy asks of its node, and its bounds. What a Gateway
	// sets takes the place of all that its class does. Default: requests of 100m
	// CPU and 128Mi memory, a limit of 1Gi memory, and none on CPU, as that would
	// add to the latency of requests long before it is reached.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
	// NodeSelector are labels that a node must have. Default: none.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// Tolerations let pods onto nodes with taints. Default: none.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// Affinity says near what, and far from what, pods run. Default: none.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
	// TopologySpreadConstraints spread pods over the parts of a cluster. One
	// without a labelSelector is for the pods of the Gateway. Default: over nodes
	// (kubernetes.io/hostname), with maxSkew 1 and ScheduleAnyway; an empty list
	// turns that off.
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +optional
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitzero"`
	// PriorityClassName is the pods' PriorityClass. Default: the cluster's own.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	PriorityClassName *string `json:"priorityClassName,omitempty"`
	// Annotations are for the pods alone, key by key; they go before those of the
	// Gateway's spec.infrastructure. Keys of sluice.dev are Sluice's own.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
	// Labels are for the pods alone, as Annotations are.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// Image is that of the proxy: of sluice-proxy for the built-in Go proxy, which
	// runs it, and of Envoy or HAProxy itself for classes of those, as a user that is
	// not root.
	// A GatewayClass's alone. Default: the one that the operator was released with.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Image *string `json:"image,omitempty"`
	// ImagePullPolicy is Always, IfNotPresent or Never. A GatewayClass's alone.
	// Default: the cluster's own, which depends on the image's tag.
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	// +optional
	ImagePullPolicy *corev1.PullPolicy `json:"imagePullPolicy,omitempty"`
	// ImagePullSecrets are Secrets in the namespace of each Gateway. A
	// GatewayClass's alone. Default: none.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
	// DisruptionBudget says how many pods may be away for maintenance. There is
	// none with fewer than two replicas, as it would keep a node from ever being
	// drained.
	// +optional
	DisruptionBudget *DisruptionBudgetParameters `json:"disruptionBudget,omitempty"`
	// Strategy says how pods are replaced by those of a newer version.
	// +optional
	Strategy *StrategyParameters `json:"strategy,omitempty"`
}

// DisruptionBudgetParameters say how many pods may be away for maintenance.
type DisruptionBudgetParameters struct {
	// MaxUnavailable is a number of pods, or a share of them ("25%"). Default: 1.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 : self.matches('^(100|[0-9]{1,2})%$')",message="it is a number of pods (1) or a share of them (25%)"
	// +optional
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`
}

// StrategyParameters say how pods are replaced. One of the two must be more than
// 0.
type StrategyParameters struct {
	// MaxSurge is how many pods there may be on top of replicas: a number, or a
	// share of them ("25%"). Default: 1.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 : self.matches('^(100|[0-9]{1,2})%$')",message="it is a number of pods (1) or a share of them (25%)"
	// +optional
	MaxSurge *intstr.IntOrString `json:"maxSurge,omitempty"`
	// MaxUnavailable is how many of the replicas may be away: a number, or a share
	// of them. Default: 0.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 : self.matches('^(100|[0-9]{1,2})%$')",message="it is a number of pods (1) or a share of them (25%)"
	// +optional
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`
}

// GatewaysParameters say what Gateways may decide for themselves.
type GatewaysParameters struct {
	// MayOverride are the fields of service and pods that a Gateway's own
	// parameters may set. Default: service.externalTrafficPolicy,
	// service.ipFamilyPolicy, service.ipFamilies, pods.replicas, pods.resources,
	// pods.topologySpreadConstraints, pods.disruptionBudget and pods.strategy. A
	// list takes the place of that one; an empty one allows nothing.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=64
	// +listType=set
	// +optional
	MayOverride []OverridableField `json:"mayOverride,omitzero"`
}

// OverridableField is a field of service or pods that a GatewayClass may leave to
// its Gateways.
//
// +kubebuilder:validation:Enum=service.type;service.externalTrafficPolicy;service.loadBalancerClass;service.loadBalancerSourceRanges;service.allocateLoadBalancerNodePorts;service.nodePorts;service.ipFamilyPolicy;service.ipFamilies;service.annotations;service.labels;pods.replicas;pods.resources;pods.nodeSelector;pods.tolerations;pods.affinity;pods.topologySpreadConstraints;pods.priorityClassName;pods.annotations;pods.labels;pods.disruptionBudget;pods.strategy
type OverridableField string
