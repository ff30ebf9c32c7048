package v1alpha1

import corev1 "k8s.io/api/core/v1"

// ServiceParameters shape the Service by which clients reach the proxies. What
// the type of the Service has no use for is left out of it.
//
// +kubebuilder:validation:XValidation:rule="!has(self.loadBalancerSourceRanges) || !has(self.type) || self.type == 'LoadBalancer'",message="loadBalancerSourceRanges hold for type LoadBalancer alone; remove them, or nothing would keep others out"
type ServiceParameters struct {
	// Type is how the Service is reached: LoadBalancer, NodePort or ClusterIP.
	// Default: LoadBalancer.
	// +kubebuilder:validation:Enum=LoadBalancer;NodePort;ClusterIP
	// +optional
	Type *corev1.ServiceType `json:"type,omitempty"`
	// ExternalTrafficPolicy is Cluster: every node takes traffic from outside and
	// hands it on; or Local: only nodes with a proxy do, and the client's address
	// is kept. Default: Cluster.
	// +kubebuilder:validation:Enum=Cluster;Local
	// +optional
	ExternalTrafficPolicy *corev1.ServiceExternalTrafficPolicy `json:"externalTrafficPolicy,omitempty"`
	// LoadBalancerClass chooses among load balancer implementations. It cannot be
	// changed once the Service is there. Default: the cluster's own choice.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=316
	// +optional
	LoadBalancerClass *string `json:"loadBalancerClass,omitempty"`
	// LoadBalancerSourceRanges are the addresses that may come in through the load
	// balancer, as prefixes ("192.0.2.0/24"). Default: all.
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=64
	// +listType=atomic
	// +optional
	LoadBalancerSourceRanges []string `json:"loadBalancerSourceRanges,omitempty"`
	// AllocateLoadBalancerNodePorts is false for load balancers that reach pods
	// without the nodes' ports. Default: true.
	// +optional
	AllocateLoadBalancerNodePorts *bool `json:"allocateLoadBalancerNodePorts,omitempty"`
	// NodePorts fixes the nodes' ports that lead to listeners' ports. Default: the
	// cluster chooses.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=port
	// +optional
	NodePorts []NodePort `json:"nodePorts,omitempty"`
	// IPFamilyPolicy is SingleStack, PreferDualStack or RequireDualStack. Default:
	// the cluster's own, SingleStack.
	// +kubebuilder:validation:Enum=SingleStack;PreferDualStack;RequireDualStack
	// +optional
	IPFamilyPolicy *corev1.IPFamilyPolicy `json:"ipFamilyPolicy,omitempty"`
	// IPFamilies are IPv4 and IPv6, in order of preference. Default: the
	// cluster's own.
	// +kubebuilder:validation:MaxItems=2
	// +kubebuilder:validation:items:Enum=IPv4;IPv6
	// +listType=set
	// +optional
	IPFamilies []corev1.IPFamily `json:"ipFamilies,omitempty"`
	// Annotations are for the Service alone, key by key; they go before those of
	// the Gateway's spec.infrastructure. Keys of sluice.dev are Sluice's own.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
	// Labels are for the Service alone, as Annotations are.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// AddressAnnotation is the key of the annotation by which the load balancer is
	// asked for the addresses of a Gateway's spec.addresses, joined by commas:
	// metallb.io/loadBalancerIPs for MetalLB. A GatewayClass's alone. Default:
	// none, and addresses that are asked for are not to be had.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +optional
	AddressAnnotation *string `json:"addressAnnotation,omitempty"`
}

// NodePort is a port of the nodes that leads to a port of listeners. It holds for
// TCP and UDP alike.
type NodePort struct {
	// Port is the listeners'.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`
	// NodePort is the nodes', from the range that the cluster has for them, which
	// is 30000 to 32767 where nobody has changed it.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	NodePort int32 `json:"nodePort"`
}
