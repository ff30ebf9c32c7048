package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// HTTP3Parameters configure HTTP/3, on the UDP side of ports with listeners of
// HTTPS. Where a listener of UDP has the same port, that one has it, and HTTP/3
// is neither served nor announced there.
type HTTP3Parameters struct {
	// Enabled serves HTTP/3 beside HTTP/1.1 and HTTP/2, and announces it to their
	// clients by Alt-Svc. What stands between clients and the proxy must let UDP
	// through. Default: false.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`
	// AltSvcMaxAge is for how long clients may remember that a host is served by
	// HTTP/3. They go on trying for as long after it was turned off. Default: 24h.
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?(0|([0-9.]+(ns|us|ms|s|m|h))+)$')",message="a duration is a number and its unit: 500ms, 10s, 2m, 1h"
	// +optional
	AltSvcMaxAge *metav1.Duration `json:"altSvcMaxAge,omitempty"`
}
