// Package v1alpha1 holds Sluice's own API types. It has markers and CEL rules,
// and no logic.
//
// +kubebuilder:object:generate=true
// +groupName=sluice.dev
package v1alpha1
