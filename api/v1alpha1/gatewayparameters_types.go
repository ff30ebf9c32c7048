package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// GatewayParameters configures the proxies of the Gateways that refer to it: a
// GatewayClass by spec.parametersRef, a Gateway by
// spec.infrastructure.parametersRef. A Gateway's own parameters are laid over
// those of its class, field by field; what only the platform team may set is
// refused on a Gateway, and says so in its status.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,categories=gateway-api,shortName=gwparams
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type GatewayParameters struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the desired configuration.
	// +optional
	Spec GatewayParametersSpec `json:"spec,omitzero"`
}

// GatewayParametersList is a list of GatewayParameters.
//
// +kubebuilder:object:root=true
type GatewayParametersList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []GatewayParameters `json:"items"`
}

// GatewayParametersSpec is the desired configuration.
type GatewayParametersSpec struct {
	// Proxy configures how the proxy treats traffic.
	// +optional
	Proxy *ProxyParameters `json:"proxy,omitempty"`
	// Service shapes the Service by which clients reach the proxies. It has no
	// meaning for sluice run.
	// +optional
	Service *ServiceParameters `json:"service,omitempty"`
	// Pods shapes the pods that the proxies run in. It has no meaning for sluice
	// run.
	// +optional
	Pods *PodParameters `json:"pods,omitempty"`
	// Gateways says what Gateways may decide for themselves. A GatewayClass's
	// alone.
	// +optional
	Gateways *GatewaysParameters `json:"gateways,omitempty"`
}

// ProxyParameters configures how the proxy treats traffic. A field that is not
// set has its default.
type ProxyParameters struct {
	// ClientIP says whom to believe about a client's address. A GatewayClass's
	// alone.
	// +optional
	ClientIP *ClientIPParameters `json:"clientIP,omitempty"`
	// Timeouts bound what a client or a backend may hold.
	// +optional
	Timeouts *TimeoutParameters `json:"timeouts,omitempty"`
	// Limits bound what a client may send.
	// +optional
	Limits *LimitParameters `json:"limits,omitempty"`
	// TLS holds for every listener that terminates TLS.
	// +optional
	TLS *TLSParameters `json:"tls,omitempty"`
	// HTTP3 serves HTTP/3 at the ports of HTTPS.
	// +optional
	HTTP3 *HTTP3Parameters `json:"http3,omitempty"`
	// Path says how the paths of requests are read. A GatewayClass's alone.
	// +optional
	Path *PathParameters `json:"path,omitempty"`
	// AccessLog configures the log of requests.
	// +optional
	AccessLog *AccessLogParameters `json:"accessLog,omitempty"`
	// ProxyProtocol says whose PROXY protocol headers are taken, and which
	// listeners send them on. A GatewayClass's alone.
	// +optional
	ProxyProtocol *ProxyProtocolParameters `json:"proxyProtocol,omitempty"`
	// Balancing says which endpoint of a backend serves a request.
	// +optional
	Balancing *BalancingParameters `json:"balancing,omitempty"`
	// Ejection leaves endpoints out that cannot be connected to.
	// +optional
	Ejection *EjectionParameters `json:"ejection,omitempty"`
	// AllowExternalName lets routes use Services of type ExternalName. The names
	// are resolved by Sluice, and addresses that are loopback, link-local or a
	// cloud's metadata service are refused. A GatewayClass's alone. Default:
	// false.
	// +optional
	AllowExternalName *bool `json:"allowExternalName,omitempty"`
	// Endpoints says where requests for a Service go: to its ready pods
	// ("Pods"), or to its cluster IP ("ClusterIP"), for meshes and clusters that
	// need it. Default: Pods.
	// +kubebuilder:validation:Enum=Pods;ClusterIP
	// +optional
	Endpoints *EndpointsMode `json:"endpoints,omitempty"`
}

// EndpointsMode says where requests for a Service go.
type EndpointsMode string

// The modes of endpoints.
const (
	EndpointsPods      EndpointsMode = "Pods"
	EndpointsClusterIP EndpointsMode = "ClusterIP"
)

// ClientIPParameters says whom to believe about a client's address.
type ClientIPParameters struct {
	// TrustedHops is the number of proxies in front of this one. Their entries
	// in X-Forwarded-For are believed; with 0 the header is replaced, as anybody
	// could have written it. Default: 0.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=32
	// +optional
	TrustedHops *int32 `json:"trustedHops,omitempty"`
}

// ProxyProtocolParameters configures the PROXY protocol, versions 1 and 2, by
// which a proxy tells the next one whom it speaks for.
type ProxyProtocolParameters struct {
	// Accept takes headers from the proxies in front of this one.
	// +optional
	Accept *AcceptProxyProtocol `json:"accept,omitempty"`
	// Send tells the backends of TLSRoutes and TCPRoutes whom a connection is
	// from. Backends of HTTPRoutes and GRPCRoutes are told by X-Forwarded-For, as
	// one connection to them serves many clients.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Send []SendProxyProtocol `json:"send,omitempty"`
}

// AcceptProxyProtocol says whose PROXY protocol headers are taken.
type AcceptProxyProtocol struct {
	// TrustedCIDRs are the addresses of the proxies in front of this one. Who
	// connects from one of them must send a header first, of version 1 or 2, and
	// is closed otherwise; what others send is never taken for one.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=64
	// +listType=atomic
	TrustedCIDRs []string `json:"trustedCIDRs"`
	// Ports are the listener ports that this holds for, but for those of UDP.
	// Default: all.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=65535
	// +listType=set
	// +optional
	Ports []int32 `json:"ports,omitempty"`
	// HeaderTimeout bounds the wait for a header. Default: 5s.
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?(0|([0-9.]+(ns|us|ms|s|m|h))+)$')",message="a duration is a number and its unit: 500ms, 10s, 2m, 1h"
	// +optional
	HeaderTimeout *metav1.Duration `json:"headerTimeout,omitempty"`
}

// SendProxyProtocol sends PROXY protocol headers to backends. Of several for one
// port, the first holds.
type SendProxyProtocol struct {
	// Version is v1, a line of text, or v2, a binary header.
	// +kubebuilder:validation:Enum=v1;v2
	Version string `json:"version"`
	// Ports are the ports of the listeners of TLS and TCP whose backends get a
	// header. Default: all.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=65535
	// +listType=set
	// +optional
	Ports []int32 `json:"ports,omitempty"`
}

// TimeoutParameters bound what a client or a backend may hold. "0s" turns a
// bound off.
type TimeoutParameters struct {
	// RequestHeader bounds reading the header of a request. Default: 10s.
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?(0|([0-9.]+(ns|us|ms|s|m|h))+)$')",message="a duration is a number and its unit: 500ms, 10s, 2m, 1h"
	// +optional
	RequestHeader *metav1.Duration `json:"requestHeader,omitempty"`
	// Idle bounds a keep-alive connection's wait for its next request.
	// Default: 2m.
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?(0|([0-9.]+(ns|us|ms|s|m|h))+)$')",message="a duration is a number and its unit: 500ms, 10s, 2m, 1h"
	// +optional
	Idle *metav1.Duration `json:"idle,omitempty"`
	// Request bounds a whole exchange where its rule sets no time-out. Streams
	// and upgraded connections count. Default: 0s, no bound.
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?(0|([0-9.]+(ns|us|ms|s|m|h))+)$')",message="a duration is a number and its unit: 500ms, 10s, 2m, 1h"
	// +optional
	Request *metav1.Duration `json:"request,omitempty"`
	// Stall bounds how long a client may keep an exchange waiting: by taking
	// nothing of what it is sent, or by sending nothing of a body that is waited
	// for; then 408, or an end of the response. Each byte begins it anew. Calls of
	// gRPC, requests whose response streams already and upgraded connections may
	// send nothing for as long as they like. Default: 60s.
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?(0|([0-9.]+(ns|us|ms|s|m|h))+)$')",message="a duration is a number and its unit: 500ms, 10s, 2m, 1h"
	// +optional
	Stall *metav1.Duration `json:"stall,omitempty"`
	// Connect bounds opening a connection to an endpoint. Default: 5s.
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?(0|([0-9.]+(ns|us|ms|s|m|h))+)$')",message="a duration is a number and its unit: 500ms, 10s, 2m, 1h"
	// +optional
	Connect *metav1.Duration `json:"connect,omitempty"`
	// Drain bounds how long open connections are served after the proxy was
	// told to stop. Default: 30s.
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?(0|([0-9.]+(ns|us|ms|s|m|h))+)$')",message="a duration is a number and its unit: 500ms, 10s, 2m, 1h"
	// +optional
	Drain *metav1.Duration `json:"drain,omitempty"`
	// TCPIdle ends a connection of a TLSRoute or a TCPRoute on which nothing has
	// moved in either direction. Default: 1h.
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?(0|([0-9.]+(ns|us|ms|s|m|h))+)$')",message="a duration is a number and its unit: 500ms, 10s, 2m, 1h"
	// +optional
	TCPIdle *metav1.Duration `json:"tcpIdle,omitempty"`
	// UDPIdle ends a session of a UDPRoute, which is a client's address and port,
	// in which nothing has come from either side. It cannot be turned off.
	// Default: 1m.
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?(0|([0-9.]+(ns|us|ms|s|m|h))+)$')",message="a duration is a number and its unit: 500ms, 10s, 2m, 1h"
	// +optional
	UDPIdle *metav1.Duration `json:"udpIdle,omitempty"`
}

// LimitParameters bound what a client may send. 0 turns a bound off.
type LimitParameters struct {
	// RequestHeaderBytes bounds a request's line and header fields together; over
	// it, 431. Default: 65536.
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=1048576
	// +optional
	RequestHeaderBytes *int32 `json:"requestHeaderBytes,omitempty"`
	// RequestHeaderCount bounds the number of a request's header fields, and of
	// those of its trailer section; over it, 431. Default: 100.
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=1000
	// +optional
	RequestHeaderCount *int32 `json:"requestHeaderCount,omitempty"`
	// RequestBodyBytes bounds a request's body; over it, 413. Default: 0.
	// +kubebuilder:validation:Minimum=0
	// +optional
	RequestBodyBytes *int64 `json:"requestBodyBytes,omitempty"`
	// MinBodyBytesPerSecond is the least that a client must send of a body that
	// is waited for, and take of a response, once it was waited for longer than
	// timeouts.stall; then 408, or an end of the response. It does not hold where
	// timeouts.stall lets clients be silent, and not at all without that.
	// Default: 240.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1048576
	// +optional
	MinBodyBytesPerSecond *int32 `json:"minBodyBytesPerSecond,omitempty"`
	// RetryBufferBytes bounds what is kept of all requests' bodies together for
	// another try; over it, bodies are sent but once. Default: 67108864.
	// +kubebuilder:validation:Minimum=0
	// +optional
	RetryBufferBytes *int64 `json:"retryBufferBytes,omitempty"`
	// Requests bounds the requests under way in one proxy, upgraded connections
	// included; over it, new ones are answered 503. Default: 0, what the proxy's
	// descriptors and memory allow.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Requests *int32 `json:"requests,omitempty"`
	// Connections bounds the open connections of one port; over it, new ones
	// are closed. Default: 0, what the proxy's descriptors allow.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Connections *int32 `json:"connections,omitempty"`
	// ConcurrentStreams bounds the requests under way on one connection of HTTP/2
	// or HTTP/3. Default: 100.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	ConcurrentStreams *int32 `json:"concurrentStreams,omitempty"`
	// UDPSessions bounds the sessions of one UDP port; datagrams of further
	// clients are dropped. Default: 10000.
	// +kubebuilder:validation:Minimum=0
	// +optional
	UDPSessions *int32 `json:"udpSessions,omitempty"`
}

// TLSParameters hold for every listener that terminates TLS.
type TLSParameters struct {
	// MinVersion is the oldest version of TLS that is spoken. Default: 1.2.
	// +kubebuilder:validation:Enum="1.2";"1.3"
	// +optional
	MinVersion *string `json:"minVersion,omitempty"`
	// Ciphers are the suites offered for TLS 1.2, by their IANA names, in order
	// of preference. Suites without forward secrecy are refused. Default: the
	// proxy's own choice.
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	Ciphers []string `json:"ciphers,omitempty"`
	// ALPN lists the protocols offered, in order of preference. Default: h2,
	// http/1.1.
	// +kubebuilder:validation:MaxItems=2
	// +kubebuilder:validation:items:Enum=h2;http/1.1
	// +listType=set
	// +optional
	ALPN []string `json:"alpn,omitempty"`
}

// AccessLogParameters configures the log of requests: one JSON object a line on
// the proxy's standard output.
type AccessLogParameters struct {
	// Enabled turns the log on. Default: true.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`
}

// PathParameters say how the paths of requests are read.
type PathParameters struct {
	// EncodedSlashes says what becomes of requests with an encoded slash or
	// backslash ("%2F", "%5C") in their path. "Reject" answers 400: a rule for
	// /a/admin does not see /a%2Fadmin, which many backends read as the same.
	// "Keep" leaves them as they are, as data inside of their segment, for backends
	// that need them (GitLab, npm registries); what would hide a dot segment, such
	// as "..%2F", is still refused. Default: Reject.
	// +kubebuilder:validation:Enum=Reject;Keep
	// +optional
	EncodedSlashes *EncodedSlashes `json:"encodedSlashes,omitempty"`
}

// EncodedSlashes says what becomes of requests with an encoded slash.
type EncodedSlashes string

// What becomes of requests with an encoded slash.
const (
	EncodedSlashesReject EncodedSlashes = "Reject"
	EncodedSlashesKeep   EncodedSlashes = "Keep"
)
