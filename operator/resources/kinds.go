package resources

// The kinds that Sluice reads.
const (
	GatewayClass      Kind = "GatewayClass"
	Gateway           Kind = "Gateway"
	ListenerSet       Kind = "ListenerSet"
	HTTPRoute         Kind = "HTTPRoute"
	GRPCRoute         Kind = "GRPCRoute"
	TLSRoute          Kind = "TLSRoute"
	TCPRoute          Kind = "TCPRoute"
	UDPRoute          Kind = "UDPRoute"
	ReferenceGrant    Kind = "ReferenceGrant"
	BackendTLSPolicy  Kind = "BackendTLSPolicy"
	GatewayParameters Kind = "GatewayParameters"
	Namespace         Kind = "Namespace"
	Service           Kind = "Service"
	EndpointSlice     Kind = "EndpointSlice"
	Secret            Kind = "Secret"
	ConfigMap         Kind = "ConfigMap"
	// CRD is what the cluster has of Gateway API's own definitions. Where none is
	// in a Set, everything is offered.
	CRD Kind = "CustomResourceDefinition"
	// DNSName is what a DNS name resolved to: a DNSAnswer, which no API server
	// knows.
	DNSName Kind = "DNSAnswer"
)
