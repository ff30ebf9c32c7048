// Package dataplanes defines what a proxy must offer to be one of Sluice's
// dataplanes. Each lives in a folder of its own, and none knows another.
//
// It is a contract and nothing else: it knows no proxy, no Kubernetes, and
// nothing of the operator that hands it units.
package dataplanes
