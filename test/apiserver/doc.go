// Package apiserver tests what Sluice reads from a cluster and writes to it
// against a real etcd and kube-apiserver, without any node: what versions are
// served, what is pruned, defaulted and refused, and what conflicts, an API server
// alone decides.
//
// SLUICE_E2E_ASSETS names the folder with both programs (`make cluster` builds
// them); without it the tests are skipped. Nothing else of a cluster is needed,
// and every run has an API server of its own on free ports.
package apiserver
