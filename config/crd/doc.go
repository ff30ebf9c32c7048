// Package crd holds the CustomResourceDefinitions of Sluice's own API, made from
// api/v1alpha1 by controller-gen. It holds files and no logic.
package crd
