package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BalancingParameters say which endpoint of a backend serves a request. What a
// Gateway sets takes the place of all that its class does.
//
// +kubebuilder:validation:XValidation:rule="!has(self.hash) || (has(self.type) && self.type == 'ConsistentHash')",message="hash is for type ConsistentHash alone"
type BalancingParameters struct {
	// Type is RoundRobin: endpoints in turn; LeastRequest: of two endpoints chosen
	// at random, the one with fewer requests under way; or ConsistentHash: equal
	// keys go to one endpoint, and one that comes or goes moves about its share of
	// the keys and no others. Default: RoundRobin.
	// +kubebuilder:validation:Enum=RoundRobin;LeastRequest;ConsistentHash
	// +optional
	Type *BalancingType `json:"type,omitempty"`
	// Hash is what ConsistentHash goes by. Connections of TLSRoutes and TCPRoutes
	// and sessions of UDPRoutes go by the client's address, whatever it says.
	// Default: ClientIP.
	// +optional
	Hash *HashParameters `json:"hash,omitempty"`
}

// BalancingType is a way to choose among endpoints.
type BalancingType string

// The ways to choose among endpoints.
const (
	BalancingRoundRobin     BalancingType = "RoundRobin"
	BalancingLeastRequest   BalancingType = "LeastRequest"
	BalancingConsistentHash BalancingType = "ConsistentHash"
)

// HashParameters say which part of a request is hashed. A request without it is
// balanced by RoundRobin.
//
// +kubebuilder:validation:XValidation:rule="self.type == 'ClientIP' || has(self.name)",message="name is missing; type Header and type Cookie need the header's or the cookie's"
// +kubebuilder:validation:XValidation:rule="self.type != 'ClientIP' || !has(self.name)",message="type ClientIP takes no name; remove it, or use type Header or type Cookie"
type HashParameters struct {
	// Type is ClientIP: the client's address, as far as trusted proxies tell it;
	// Header: the value of a header, as the backend gets it; or Cookie.
	// +kubebuilder:validation:Enum=ClientIP;Header;Cookie
	Type HashType `json:"type"`
	// Name is the name of the header or of the cookie.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!#$%&'*+\-.^_|~]+$`
	// +optional
	Name *string `json:"name,omitempty"`
}

// HashType says which part of a request is hashed.
type HashType string

// The parts of a request that can be hashed.
const (
	HashClientIP HashType = "ClientIP"
	HashHeader   HashType = "Header"
	HashCookie   HashType = "Cookie"
)

// EjectionParameters leave endpoints out that cannot be connected to. Where all
// endpoints of a backend are left out, all are used.
type EjectionParameters struct {
	// ConsecutiveFailures is how many connections to an endpoint must fail in a
	// row before it is left out. 0 leaves none out. Default: 3.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +optional
	ConsecutiveFailures *int32 `json:"consecutiveFailures,omitempty"`
	// BaseTime is how long an endpoint is left out. One request tries it then, and
	// goes elsewhere if that fails too; the time then doubles, up to MaxTime.
	// Default: 10s.
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?(0|([0-9.]+(ns|us|ms|s|m|h))+)$')",message="a duration is a number and its unit: 500ms, 10s, 2m, 1h"
	// +optional
	BaseTime *metav1.Duration `json:"baseTime,omitempty"`
	// MaxTime bounds how long an endpoint is left out; it is no less than
	// BaseTime. Default: 5m.
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?(0|([0-9.]+(ns|us|ms|s|m|h))+)$')",message="a duration is a number and its unit: 500ms, 10s, 2m, 1h"
	// +optional
	MaxTime *metav1.Duration `json:"maxTime,omitempty"`
	// MaxPercent bounds the share of a backend's endpoints that are left out at
	// once, rounded down to whole endpoints. Default: 50.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	MaxPercent *int32 `json:"maxPercent,omitempty"`
}
